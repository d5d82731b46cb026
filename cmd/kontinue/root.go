package main

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// newRoot returns the command of the program, which was started as arg0.
func newRoot(arg0 string, t terminal) *cobra.Command {
	root := &cobra.Command{
		Use:   "kontinue",
		Short: "Run Kubernetes Jobs and wait for them, also across a restart",
		// Errors are printed once, and without the usage, which would hide them.
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	if name := pluginName(arg0); name != "" {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: name}
	}
	root.AddCommand(newRun(t), newDev(t), newPreflight(t), newVersion())
	for _, cmd := range root.Commands() {
		cmd.Example = strings.ReplaceAll(cmd.Example, "NAME ", root.CommandPath()+" ")
	}
	return root
}

// pluginName returns how kubectl calls the program if arg0 is the name of a plugin, such
// as kubectl-kontinue, and otherwise "".
func pluginName(arg0 string) string {
	name, ok := strings.CutPrefix(strings.TrimSuffix(filepath.Base(arg0), ".exe"), "kubectl-")
	if !ok {
		return ""
	}
	// kubectl finds "kubectl a b-c" as kubectl-a-b_c.
	return "kubectl " + strings.ReplaceAll(strings.ReplaceAll(name, "-", " "), "_", "-")
}
