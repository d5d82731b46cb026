package kubeclient_test

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/internal/kubeclient"
)

// A worker names itself in the user agent, which audit logs of the API server show.
func Example() {
	server := &server{}
	client, err := kubeclient.New(&rest.Config{Host: "http://api", Transport: server}, kubeclient.Options{Component: "kontinue/default"})
	if err != nil {
		fmt.Println(err)
		return
	}
	jobs, err := client.BatchV1().Jobs("ns").List(context.Background(), metav1.ListOptions{})
	fmt.Println(len(jobs.Items), err, server.last.URL.Path)
	// Output: 0 <nil> /apis/batch/v1/namespaces/ns/jobs
}
