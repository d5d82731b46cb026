package docs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

// foreign are the API groups of which no Go types are at hand.
var foreign = map[string]bool{
	"argoproj.io": true, "kind.x-k8s.io": true, "kueue.x-k8s.io": true, "monitoring.coreos.com": true, "tekton.dev": true,
}

// CheckData returns an error for each document of the YAML and JSON blocks that does not
// parse, or that has an apiVersion and a kind and does not decode strictly as such: with an
// unknown field, for example. Of the kinds of some other projects only the syntax is checked.
func CheckData(blocks []Block) error {
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	var errs []error
	for _, b := range Select(blocks, "yaml", "json") {
		for document := range strings.SplitSeq("\n"+b.Code, "\n---\n") {
			if err := checkDocument(decoder, b.Lang, document); err != nil {
				errs = append(errs, fmt.Errorf("%s:%d: %w", b.File, b.Line, err))
			}
		}
	}
	return errors.Join(errs...)
}

func checkDocument(decoder runtime.Decoder, lang, document string) error {
	if lang == "json" {
		var value any
		if err := json.Unmarshal([]byte(document), &value); err != nil {
			return fmt.Errorf("the JSON does not parse: %w", err)
		}
	}
	var value any
	if err := yaml.UnmarshalStrict([]byte(document), &value); err != nil {
		return fmt.Errorf("the YAML does not parse: %w", err)
	}
	object, _ := value.(map[string]any)
	version, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	if version == "" || kind == "" {
		return nil
	}
	gv, err := schema.ParseGroupVersion(version)
	if err != nil {
		return fmt.Errorf("apiVersion: %w", err)
	}
	if foreign[gv.Group] {
		return nil
	}
	if _, err := runtime.Decode(decoder, []byte(document)); err != nil {
		return fmt.Errorf("decode the %s: %w", kind, err)
	}
	return nil
}
