package preflight

import (
	"cmp"
	"slices"
	"strings"
)

// Right is one verb on a resource, as in the rule of a Role.
type Right struct {
	// Verb, Group and Resource are as in the rule; a subresource follows a slash.
	Verb, Group, Resource string
	// Without, for an optional right, is what a worker cannot do that lacks it.
	Without string
}

// Optional reports whether a worker works without the right.
func (r Right) Optional() bool { return r.Without != "" }

// String returns the right as "list pods" or "create jobs.batch".
func (r Right) String() string {
	if r.Group == "" {
		return r.Verb + " " + r.Resource
	}
	base, sub, nested := strings.Cut(r.Resource, "/")
	if nested {
		sub = "/" + sub
	}
	return r.Verb + " " + base + "." + r.Group + sub
}

// watched reports whether the right is one of the two watches of a client, which serve all
// namespaces if it is granted in the whole cluster.
func (r Right) watched() bool { return r.Verb == "list" || r.Verb == "watch" }

// The rights on Events, which are optional.
var (
	ListEvents   = Right{Verb: "list", Resource: "events", Without: "some steps that do not start remain unexplained"}
	CreateEvents = Right{Verb: "create", Resource: "events", Without: "kubectl describe of an Execution's object does not show its steps"}
)

// Worker returns the rights that every worker needs, those of deploy/rbac.yaml.
func Worker() []Right {
	var rights []Right
	for _, verb := range []string{"create", "get", "list", "watch", "patch", "delete"} {
		rights = append(rights, Right{Verb: verb, Group: "batch", Resource: "jobs"})
	}
	return append(rights,
		Right{Verb: "list", Resource: "pods"},
		Right{Verb: "watch", Resource: "pods"},
		Right{Verb: "get", Resource: "pods/log"},
	)
}

// Features returns the rights that some options of a step use, as deploy/rbac-optional.yaml
// grants them.
func Features() []Right {
	const files = "RunScript with Files or a long Command fails"
	return []Right{
		{Verb: "create", Resource: "secrets", Without: files},
		{Verb: "get", Resource: "secrets", Without: files},
		{Verb: "list", Group: "kueue.x-k8s.io", Resource: "workloads", Without: "a step that a queue holds has no reason for it"},
	}
}

// Denial is a right that is missing in a namespace, or in all for "".
type Denial struct {
	Right
	Namespace string
}

// split returns the denials of required rights and those of optional ones.
func split(all []Denial) (required, optional []Denial) {
	for _, d := range all {
		if d.Optional() {
			optional = append(optional, d)
		} else {
			required = append(required, d)
		}
	}
	return required, optional
}

// Rules returns the rules of a Role that grant the rights, as YAML that is indented like
// those of a manifest. Verbs on the same resource are one rule.
func Rules(rights []Right) string {
	verbs := map[[2]string][]string{}
	var order [][2]string
	for _, r := range rights {
		key := [2]string{r.Group, r.Resource}
		if verbs[key] == nil {
			order = append(order, key)
		}
		if !slices.Contains(verbs[key], r.Verb) {
			verbs[key] = append(verbs[key], r.Verb)
		}
	}
	slices.SortFunc(order, func(a, b [2]string) int { return cmp.Or(-strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1])) })
	var b strings.Builder
	for _, key := range order {
		group := key[0]
		if group == "" {
			group = `""`
		}
		b.WriteString("  - apiGroups: [" + group + "]\n    resources: [" + key[1] + "]\n    verbs: [" + strings.Join(verbs[key], ", ") + "]\n")
	}
	return b.String()
}
