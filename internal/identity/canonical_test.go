package identity

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// tree is canonicalJSON implemented with maps.
func tree(t require.TestingT, raw []byte) string {
	var v any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&v))
	out, err := json.Marshal(prune(v))
	require.NoError(t, err)
	return string(out)
}

func prune(v any) any {
	switch t := v.(type) {
	case map[string]any:
		for k, child := range t {
			child = prune(child)
			t[k] = child
			if m, ok := child.(map[string]any); child == nil || ok && len(m) == 0 && (k == "metadata" || k == "resources") {
				delete(t, k)
			}
		}
	case []any:
		for i := range t {
			t[i] = prune(t[i])
		}
	}
	return v
}

func fullSpec() *batchv1.JobSpec {
	return &batchv1.JobSpec{
		BackoffLimit: new(int32(3)), ActiveDeadlineSeconds: new(int64(9007199254740993)),
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"b": "2", "a": "1", "a.b/c": "x", "": "none"}},
			Spec: corev1.PodSpec{
				Affinity: &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{LabelSelector: &metav1.LabelSelector{}}}}},
				Volumes:  []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
				Containers: []corev1.Container{{
					Name: "c", Args: []string{"", "a \"quoted\" \\ {,}[,]", "<&>\u2028\u00fc\x01\n", `ends with \`},
					Env: []corev1.EnvVar{{Name: "null", Value: "null"}, {Name: "{}", Value: "{}"}},
					Resources: corev1.ResourceRequirements{
						Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi"), corev1.ResourceCPU: resource.MustParse("0.1")},
					},
				}, {}},
			},
		},
	}
}

func TestCanonicalJSON(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(fullSpec())
	require.NoError(t, err)
	for name, raw := range map[string]string{
		"a full spec": string(raw), "text": `"a"`, "number": `12`, "nothing": `null`, "empty": `{}`, "list": `[]`,
		"emptied":  `{"b":{"metadata":{"creationTimestamp":null}},"a":[null,{"resources":{},"x":{}}]}`,
		"prefixes": `{"ab":1,"a":2,"abc":3,"a!":5,"":4}`,
	} {
		require.Equal(t, tree(t, []byte(raw)), string(canonicalJSON([]byte(raw))), name)
	}
}

// FuzzCanonicalJSON: the canonical form of a tree's JSON is the JSON of the tree without
// its nulls. Keys with escapes are left out, since a tree sorts them by their decoded
// form.
func FuzzCanonicalJSON(f *testing.F) {
	raw, err := json.Marshal(fullSpec())
	require.NoError(f, err)
	f.Add(raw)
	f.Add([]byte(`{"b":[{"y":null,"x":{}}],"a":{"metadata":{"z":null}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var v any
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if decoder.Decode(&v) != nil {
			return // not JSON
		}
		raw, err := json.Marshal(unescaped(v))
		require.NoError(t, err)
		require.Equal(t, tree(t, raw), string(canonicalJSON(raw)))
	})
}

// unescaped leaves out the members whose keys are written with escapes.
func unescaped(v any) any {
	switch t := v.(type) {
	case map[string]any:
		for k, child := range t {
			if written, _ := json.Marshal(k); bytes.ContainsRune(written, '\\') {
				delete(t, k)
			} else {
				t[k] = unescaped(child)
			}
		}
	case []any:
		for i := range t {
			t[i] = unescaped(t[i])
		}
	}
	return v
}

func BenchmarkSpecHash(b *testing.B) {
	spec := fullSpec()
	b.ReportAllocs()
	for b.Loop() {
		SpecHash(spec)
	}
}
