package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// newVersion returns the command that prints what the program was built from.
func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), versionLine())
			return err
		},
	}
}

// versionLine returns the version of this module and of Kubernetes' client library.
func versionLine() string {
	version, client := "(devel)", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			version = info.Main.Version
		}
		for _, dep := range info.Deps {
			if dep.Path == "k8s.io/client-go" {
				client = dep.Version
			}
		}
	}
	return fmt.Sprintf("kontinue %s (client-go %s, %s, %s/%s)", version, client, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
