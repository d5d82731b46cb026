package openapi

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Resource is a resource or a subresource of the version that is described.
type Resource struct {
	// Path is that of one object, such as /api/v1/namespaces/{namespace}/pods/{name}/log.
	Path string
	// Kind is what is sent and received.
	Kind schema.GroupVersionKind
	// Verbs are those of discovery.
	Verbs []string
	// PatchTypes are the media types of patches.
	PatchTypes []string
	// Type is the Go type, nil for a custom resource.
	Type reflect.Type
}

const kindExtension = "x-kubernetes-group-version-kind"

func kindObject(k schema.GroupVersionKind) object {
	return object{"group": k.Group, "version": k.Version, "kind": k.Kind}
}

func kindList(kinds []schema.GroupVersionKind) []object {
	list := make([]object, len(kinds))
	for i, k := range kinds {
		list[i] = kindObject(k)
	}
	return list
}

// Document returns the OpenAPI document of a group version, in JSON.
func Document(version string, resources []Resource) ([]byte, error) {
	s := &schemas{byName: map[string]object{}}
	paths := object{}
	for _, r := range resources {
		body := s.kind(r)
		for _, verb := range r.Verbs {
			op, known := operations[verb]
			if !known {
				continue
			}
			path := r.Path
			if op.collection {
				path = path[:strings.LastIndex(path, "/")]
			}
			if verb == "create" && !strings.HasSuffix(r.Path, "{name}") {
				path = r.Path // of a subresource
			}
			item, ok := paths[path].(object)
			if !ok {
				item = object{"parameters": pathParameters(path)}
				paths[path] = item
			}
			item[op.method] = op.describe(verb, r, body, s)
		}
	}
	return json.Marshal(object{
		"openapi":    "3.0.0",
		"info":       object{"title": "Kubernetes", "version": version},
		"paths":      paths,
		"components": object{"schemas": s.byName},
	})
}

// kind returns a reference to the schema of the resource's kind.
func (s *schemas) kind(r Resource) object {
	if r.Type != nil {
		return s.reference(r.Type, r.Kind)
	}
	parts := strings.Split(r.Kind.Group, ".")
	slices.Reverse(parts)
	name := strings.Join(append(parts, r.Kind.Version, r.Kind.Kind), ".")
	s.byName[name] = object{
		"type": "object", "x-kubernetes-preserve-unknown-fields": true, kindExtension: kindList([]schema.GroupVersionKind{r.Kind}),
		"properties": object{
			"apiVersion": object{"type": "string"}, "kind": object{"type": "string"},
			"metadata": object{"allOf": []object{s.reference(reflect.TypeFor[metav1.ObjectMeta]())}},
		},
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// operation is how a verb is described.
type operation struct {
	method     string
	action     string
	collection bool // the path has no name
	body       bool
	parameters []object
}

var operations = map[string]operation{
	"get":              {method: "get", action: "get"},
	"list":             {method: "get", action: "list", collection: true, parameters: listParameters},
	"create":           {method: "post", action: "post", collection: true, body: true, parameters: writeParameters},
	"update":           {method: "put", action: "put", body: true, parameters: writeParameters},
	"patch":            {method: "patch", action: "patch", parameters: append(slices.Clone(writeParameters), parameter("force", "boolean"))},
	"delete":           {method: "delete", action: "delete", parameters: deleteParameters},
	"deletecollection": {method: "delete", action: "deletecollection", collection: true, parameters: append(slices.Clone(deleteParameters), listParameters...)},
}

var (
	writeParameters  = []object{parameter("dryRun", "string"), parameter("fieldManager", "string"), parameter("fieldValidation", "string")}
	deleteParameters = []object{
		parameter("dryRun", "string"), parameter("gracePeriodSeconds", "integer"), parameter("orphanDependents", "boolean"), parameter("propagationPolicy", "string"),
	}
	listParameters = []object{
		parameter("allowWatchBookmarks", "boolean"), parameter("continue", "string"), parameter("fieldSelector", "string"),
		parameter("labelSelector", "string"), parameter("limit", "integer"), parameter("resourceVersion", "string"),
		parameter("resourceVersionMatch", "string"), parameter("sendInitialEvents", "boolean"), parameter("timeoutSeconds", "integer"), parameter("watch", "boolean"),
	}
)

func parameter(name, kind string) object {
	return object{"name": name, "in": "query", "schema": object{"type": kind, "uniqueItems": true}}
}

func pathParameters(path string) []object {
	all := []object{parameter("pretty", "string")}
	for _, name := range []string{"namespace", "name"} {
		if strings.Contains(path, "{"+name+"}") {
			all = append(all, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string", "uniqueItems": true}})
		}
	}
	return all
}

// describe returns the operation of the verb on a resource.
func (op operation) describe(verb string, r Resource, body object, s *schemas) object {
	out := object{
		"operationId":         verb + r.Kind.Kind + strings.NewReplacer("/", "_", "{", "", "}", "").Replace(r.Path),
		"responses":           object{"200": object{"description": "OK", "content": object{"application/json": object{"schema": body}}}},
		"x-kubernetes-action": op.action,
		kindExtension:         kindObject(r.Kind),
	}
	if len(op.parameters) > 0 {
		out["parameters"] = op.parameters
	}
	switch {
	case op.body:
		out["requestBody"] = object{"required": true, "content": object{"*/*": object{"schema": body}}}
	case op.method == "patch":
		content := object{}
		for _, t := range r.PatchTypes {
			content[t] = object{"schema": s.reference(reflect.TypeFor[metav1.Patch]())}
		}
		out["requestBody"] = object{"required": true, "content": content}
	case op.method == "delete":
		out["requestBody"] = object{"content": object{"*/*": object{"schema": s.reference(reflect.TypeFor[metav1.DeleteOptions]())}}}
	}
	return out
}
