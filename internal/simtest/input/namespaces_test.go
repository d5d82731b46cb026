package input_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kontinue/kontinue"
)

// TestNamespaceOfAnExecution: it is that of a client with one, and has to be given to one
// with several.
func TestNamespaceOfAnExecution(t *testing.T) {
	t.Parallel()
	one, list := kontinue.Config{Namespace: "a"}, kontinue.Config{Namespaces: []string{"a", "b"}}
	listOfOne, all := kontinue.Config{Namespaces: []string{"a"}}, kontinue.Config{AllNamespaces: true}
	for name, tc := range map[string]struct {
		config     kontinue.Config
		give, want string
		problem    string
	}{
		"the only one":            {config: one, want: "a"},
		"of a list of one":        {config: listOfOne, want: "a"},
		"given":                   {config: one, give: "a", want: "a"},
		"in the list":             {config: list, give: "b", want: "b"},
		"of all":                  {config: all, give: "c", want: "c"},
		"another":                 {config: one, give: "c", problem: `Namespace "c" is not the client's "a": use another client, or one with Config.Namespaces`},
		"not in a list of one":    {config: listOfOne, give: "c", problem: `Namespace "c" is not the client's "a"`},
		"not in the list":         {config: list, give: "c", problem: `Namespace "c" is not one of the client's (a, b): add it to Config.Namespaces, or use another client`},
		"none of the list":        {config: list, problem: "Namespace is empty, and the client serves several (a, b): set it to that of the Owner"},
		"none of all":             {config: all, problem: "Namespace is empty, and the client serves all: set it to that of the Owner"},
		"no namespace at all":     {config: all, give: "No_Name", problem: `Namespace "No_Name": `},
		"a path to another place": {config: all, give: "a/../b", problem: `Namespace "a/../b": `},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.config.Clientset = fake.NewClientset()
			client, err := kontinue.New(tc.config)
			require.NoError(t, err)
			ktx, err := client.NewExecutionContext(t.Context(), kontinue.Execution{Namespace: tc.give, Owner: owner()})
			if tc.problem != "" {
				require.ErrorIs(t, err, kontinue.ErrInvalid)
				require.ErrorContains(t, err, tc.problem)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, ktx.Execution().Namespace)
			require.Equal(t, kontinue.ChildPolicyNone, ktx.Execution().ChildPolicy, "the default is filled in")
		})
	}
}
