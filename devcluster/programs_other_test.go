//go:build !unix

package devcluster_test

import "io"

var programs map[string]func(out io.Writer, dirs []string) error
