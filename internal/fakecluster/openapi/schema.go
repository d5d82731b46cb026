package openapi

import (
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// object is a JSON object of a document.
type object = map[string]any

// schemas collects the schemas of a document, by name.
type schemas struct {
	byName map[string]object
}

// reference returns a reference to the schema of t, which it adds. Kinds are those that
// the type is of; there are none for a part of an object.
func (s *schemas) reference(t reflect.Type, kinds ...schema.GroupVersionKind) object {
	name := nameOf(t)
	if _, known := s.byName[name]; !known {
		s.byName[name] = object{} // the type may refer to itself
		s.byName[name] = s.structure(t)
	}
	if len(kinds) > 0 {
		s.byName[name][kindExtension] = kindList(kinds)
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// nameOf returns io.k8s.api.batch.v1.Job for the type Job of package k8s.io/api/batch/v1.
func nameOf(t reflect.Type) string {
	domain, path, _ := strings.Cut(t.PkgPath(), "/")
	parts := strings.Split(domain, ".")
	name := ""
	for _, part := range parts {
		name = part + "." + name
	}
	return name + strings.ReplaceAll(path, "/", ".") + "." + t.Name()
}

// structure returns the schema of a struct, or of a type with an encoding of its own.
func (s *schemas) structure(t reflect.Type) object {
	if custom := ownEncoding(t); custom != nil {
		return custom
	}
	properties := object{}
	var required []string
	s.addFields(t, properties, &required)
	out := object{"type": "object", "description": docOf(t)[""]}
	if len(properties) > 0 {
		out["properties"] = properties
	}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func (s *schemas) addFields(t reflect.Type, properties object, required *[]string) {
	docs := docOf(t)
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !f.IsExported() || name == "-":
			continue
		case name == "" && f.Anonymous:
			s.addFields(f.Type, properties, required)
			continue
		}
		property := s.value(f.Type)
		if _, refers := property["$ref"]; refers {
			// A reference cannot have siblings.
			property = object{"allOf": []object{property}}
		}
		property["description"] = docs[name]
		for _, tag := range []string{"patchStrategy", "patchMergeKey"} {
			if value := f.Tag.Get(tag); value != "" {
				property[map[string]string{"patchStrategy": "x-kubernetes-patch-strategy", "patchMergeKey": "x-kubernetes-patch-merge-key"}[tag]] = value
			}
		}
		properties[name] = property
		if !strings.Contains(options, "omit") && f.Type.Kind() != reflect.Pointer {
			*required = append(*required, name)
		}
	}
}

// value returns the schema of a field.
func (s *schemas) value(t reflect.Type) object {
	switch t.Kind() {
	case reflect.Pointer:
		return s.value(t.Elem())
	case reflect.Struct:
		return s.reference(t)
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string", "format": "byte"}
		}
		return object{"type": "array", "items": s.value(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.value(t.Elem())}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int32:
		return object{"type": "integer", "format": "int32"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer", "format": "int64"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number", "format": "double"}
	case reflect.Interface:
		return object{"type": "object"}
	}
	return object{"type": "string"}
}

// ownEncoding returns the schema of a type that does not encode as a struct, or nil.
func ownEncoding(t reflect.Type) object {
	described, ok := reflect.New(t).Elem().Interface().(interface {
		OpenAPISchemaType() []string
		OpenAPISchemaFormat() string
	})
	switch {
	case ok:
		out := object{}
		if several, ok := described.(interface{ OpenAPIV3OneOfTypes() []string }); ok {
			var types []object
			for _, name := range several.OpenAPIV3OneOfTypes() {
				types = append(types, object{"type": name})
			}
			out["oneOf"] = types
		} else {
			out["type"] = described.OpenAPISchemaType()[0]
		}
		if format := described.OpenAPISchemaFormat(); format != "" {
			out["format"] = format
		}
		return out
	case t.Name() == "RawExtension" || t.Name() == "FieldsV1":
		return object{"type": "object"}
	}
	return nil
}

// docOf returns the descriptions of the type ("") and its fields.
func docOf(t reflect.Type) map[string]string {
	if d, ok := reflect.New(t).Elem().Interface().(interface{ SwaggerDoc() map[string]string }); ok {
		return d.SwaggerDoc()
	}
	return nil
}
