package preflight_test

import (
	"context"
	"fmt"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/preflight"
)

func Example() {
	ctx := context.Background()
	server := apiserver.New(apiserver.Options{})
	defer server.Close()
	server.Deny(apiserver.Match{Verb: "patch", Resource: "jobs"})

	denied, err := preflight.Check(ctx, server.Clientset(), []string{"team-a"}, preflight.Worker())
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = preflight.Split(ctx, server.Clientset(), denied)
	fmt.Println(err)
	// Output:
	// rights are missing: system:serviceaccount:default:kontinue cannot patch jobs.batch in namespace team-a: bind this Role, a part of that in deploy/rbac.yaml:
	// apiVersion: rbac.authorization.k8s.io/v1
	// kind: Role
	// metadata:
	//   name: kontinue-worker
	// rules:
	//   - apiGroups: [batch]
	//     resources: [jobs]
	//     verbs: [patch]
}
