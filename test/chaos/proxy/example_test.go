package proxy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/test/chaos/proxy"
)

// The first request is rejected, as by a load balancer without a backend.
func ExampleProxy_Inject() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	defer server.Close()
	p, err := proxy.New(proxy.Config{Upstream: &rest.Config{Host: server.URL}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	p.Inject(proxy.Fault{Kind: proxy.BadGateway})

	transport, err := rest.TransportFor(p.RESTConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	client := http.Client{Transport: transport}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, p.RESTConfig().Host+"/api/v1/namespaces/ns/pods", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		response, err := client.Do(request)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(response.Status)
		_ = response.Body.Close()
	}
	fmt.Println(p.Injected())
	// Output:
	// 502 Bad Gateway
	// 200 OK
	// map[502:1]
}
