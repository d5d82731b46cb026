package apiserver

import (
	"encoding/json"
	"net/http"
	"strings"
)

// openAPIv2Type is the media type in which client-go requests /openapi/v2.
const openAPIv2Type = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

// serveOpenAPIv2 responds to /openapi/v2 with a document that describes nothing. kubectl
// looks into it for the kinds that the documents of version 3 do not have, and finds
// that they do not exist. It reports whether the path is that of the document.
func (s *Server) serveOpenAPIv2(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != "/openapi/v2" {
		return false
	}
	const swagger, title = "2.0", "Kubernetes"
	if accept := r.Header.Get("Accept"); strings.Contains(accept, "application/com.github.proto-openapi.spec.v2") {
		// The fields of the message Document are swagger, info and paths.
		body := protoField(1, swagger) + protoField(2, protoField(1, title)+protoField(2, s.opts.Version)) + protoField(8, "")
		writeDocument(w, openAPIv2Type, []byte(body), nil)
		return true
	}
	body, err := json.Marshal(map[string]any{
		"swagger": swagger, "info": map[string]string{"title": title, "version": s.opts.Version}, "paths": map[string]any{},
	})
	writeDocument(w, jsonFormat.mediaType, body, err)
	return true
}

// protoField returns the encoding of a string or message of less than 128 bytes.
func protoField(number byte, value string) string {
	return string([]byte{number<<3 | 2, byte(len(value))}) + value
}
