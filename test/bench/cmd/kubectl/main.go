// Command kubectl is the kubectl of the Kubernetes release that the benchmarks run on.
// The driver builds it for the styles that wait with kubectl.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err) // prints the error and exits
		os.Exit(1)
	}
}
