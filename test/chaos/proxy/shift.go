package proxy

import (
	"io"
	"net/http"
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// shifted writes a response with its times shifted.
func (p *Proxy) shifted(w http.ResponseWriter, response *http.Response) {
	body, err := io.ReadAll(response.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Del("Content-Length")
	w.WriteHeader(response.StatusCode)
	_, _ = w.Write(p.shiftRaw(body))
}

// shiftRaw shifts the times in an encoded object. It returns other data unchanged.
func (p *Proxy) shiftRaw(raw []byte) []byte {
	object, _, err := codec.Decode(raw, nil, nil)
	if err != nil {
		return raw
	}
	shiftTimes(reflect.ValueOf(object), p.shift)
	encoded, err := runtime.Encode(codec, object)
	if err != nil {
		return raw
	}
	return encoded
}

var timeType = reflect.TypeFor[metav1.Time]()

// shiftTimes shifts each metav1.Time in an object.
func shiftTimes(v reflect.Value, by time.Duration) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			shiftTimes(v.Elem(), by)
		}
	case reflect.Slice:
		for i := range v.Len() {
			shiftTimes(v.Index(i), by)
		}
	case reflect.Struct:
		if v.Type() == timeType {
			if t, ok := v.Interface().(metav1.Time); ok && !t.IsZero() && v.CanSet() {
				v.Set(reflect.ValueOf(metav1.NewTime(t.Add(by))))
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				shiftTimes(v.Field(i), by)
			}
		}
	}
}
