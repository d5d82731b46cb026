package apiserver

import (
	"bytes"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/client-go/kubernetes/scheme"
)

var yamlSerializer = json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true})

// yamlFormat is JSON in other clothes. Its items are JSON, and there are no watches in it.
var yamlFormat = &format{
	index: 2, mediaType: runtime.ContentTypeYAML,
	marshal: func(gvk schema.GroupVersionKind, obj runtime.Object) (whole, content []byte, err error) {
		whole, content, err = jsonFormat.marshal(gvk, obj)
		if err == nil {
			whole, err = toYAML(whole)
		}
		return whole, content, err
	},
	list: func(gvk schema.GroupVersionKind, meta *metav1.ListMeta, items [][]byte) ([]byte, error) {
		whole, err := jsonFormat.list(gvk, meta, items)
		if err != nil {
			return nil, err
		}
		return toYAML(whole)
	},
}

func toYAML(doc []byte) ([]byte, error) {
	var out bytes.Buffer
	err := yamlSerializer.Encode(&runtime.Unknown{Raw: doc}, &out)
	return out.Bytes(), err
}
