package docs

import (
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
)

// variables are what a fragment may use without declaring it, with their types.
var variables = map[string]string{
	"ciConfig":      "func() kontinue.Config",
	"client":        "*kontinue.Client",
	"cluster":       "*kontinuetest.Cluster",
	"config":        "kontinue.Config",
	"ctx":           "context.Context",
	"deploy":        "func(*kontinue.ExecutionContext) error",
	"execution":     "kontinue.Execution",
	"jobSpec":       "batchv1.JobSpec",
	"ktx":           "*kontinue.ExecutionContext",
	"newWorker":     "func(ci, nightly *kontinue.Client) error",
	"nightlyConfig": "func() kontinue.Config",
	"owner":         "metav1.OwnerReference",
	"podSpec":       "corev1.PodSpec",
	"restConfig":    "*rest.Config",
	"t":             "*testing.T",
}

// imports are the packages that a fragment may use without importing them.
var imports = map[string]string{
	"apierrors":    "k8s.io/apimachinery/pkg/api/errors",
	"batchv1":      "k8s.io/api/batch/v1",
	"context":      "context",
	"corev1":       "k8s.io/api/core/v1",
	"devcluster":   "github.com/kontinue/kontinue/devcluster",
	"errors":       "errors",
	"fmt":          "fmt",
	"fx":           "go.uber.org/fx",
	"kontinue":     "github.com/kontinue/kontinue",
	"kontinuetest": "github.com/kontinue/kontinue/kontinuetest",
	"kubernetes":   "k8s.io/client-go/kubernetes",
	"metav1":       "k8s.io/apimachinery/pkg/apis/meta/v1",
	"net":          "net",
	"os":           "os",
	"otelkontinue": "github.com/kontinue/kontinue/otelkontinue",
	"require":      "github.com/stretchr/testify/require",
	"rest":         "k8s.io/client-go/rest",
	"slog":         "log/slog",
	"synctest":     "testing/synctest",
	"testing":      "testing",
	"time":         "time",
	"wait":         "k8s.io/apimachinery/pkg/util/wait",
}

// wrap returns the block as a file, and whether the block is a list of statements. It
// returns a block that is not Go code unchanged, for the parser's error.
func wrap(b Block) (source string, statements bool) {
	at := fmt.Sprintf("//line %s:%d:1\n", b.File, b.Line)
	if parses(b.Code) {
		return at + b.Code, false
	}
	body := at + b.Code
	if !parses("package p\n" + body) {
		// A fragment may return an error. What follows the return is dead code.
		body = "func _() error {\n" + body + "\nreturn nil\n}\n"
		statements = true
	}
	if !parses("package p\n" + body) {
		return at + b.Code, false
	}
	for _, name := range unresolved("package p\n" + body) {
		if typ, ok := variables[name]; ok {
			// Behind the block, which may begin with imports.
			body += fmt.Sprintf("\nvar %s %s\n", name, typ)
		}
	}
	var imported strings.Builder
	for _, name := range unresolved("package p\n" + body) {
		if path, ok := imports[name]; ok {
			fmt.Fprintf(&imported, "import %s %q\n", name, path)
		}
	}
	return "package p\n" + imported.String() + body, statements
}

func parses(source string) bool {
	_, err := parser.ParseFile(token.NewFileSet(), "", source, parser.SkipObjectResolution)
	return err == nil
}

// unresolved returns the names that the file uses and neither declares nor imports, sorted.
func unresolved(source string) []string {
	f, err := parser.ParseFile(token.NewFileSet(), "", source, 0)
	if err != nil {
		return nil
	}
	names := make(map[string]bool)
	for _, ident := range f.Unresolved {
		names[ident.Name] = true
	}
	for _, spec := range f.Imports { // the parser does not resolve them
		if spec.Name != nil {
			delete(names, spec.Name.Name)
		} else {
			delete(names, path.Base(strings.Trim(spec.Path.Value, `"`)))
		}
	}
	return slices.Sorted(maps.Keys(names))
}
