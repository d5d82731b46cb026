package identity_test

import (
	"fmt"

	"github.com/kontinue/kontinue/internal/identity"
)

func Example() {
	e := identity.Execution{Namespace: "default", Name: "deploy", UID: "0b9c1c5e-6b0f-4e43-9f5e-0f1d1f6f2a11"}
	fmt.Println(identity.JobName(e, "helm", 0))
	fmt.Println(identity.JobName(e, "helm", 1))
	fmt.Println(identity.Selector("default"))
	// Output:
	// deploy-helm-xwiqcrzcxsbmk
	// deploy-helm-r1-4ctpvlmqw2rxa
	// app.kubernetes.io/managed-by=kontinue,kontinue.cloud/worker-group=default
}
