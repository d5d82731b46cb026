package openapi_test

import (
	"encoding/json"
	"fmt"
	"reflect"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/openapi"
)

func ExampleDocument() {
	raw, err := openapi.Document("v1.37.2", []openapi.Resource{{
		Path:  "/apis/batch/v1/namespaces/{namespace}/jobs/{name}",
		Kind:  batchv1.SchemeGroupVersion.WithKind("Job"),
		Verbs: []string{"create", "get"},
		Type:  reflect.TypeFor[batchv1.Job](),
	}})
	if err != nil {
		panic(err)
	}
	var doc struct {
		Paths map[string]map[string]any
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		panic(err)
	}
	for path, operations := range doc.Paths {
		if operations["post"] != nil {
			fmt.Println("POST", path)
		}
	}
	// Output: POST /apis/batch/v1/namespaces/{namespace}/jobs
}
