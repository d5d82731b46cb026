package jobs

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/plain"
	"github.com/kontinue/kontinue/internal/redact"
)

// Drift lists how the spec of the live Job differs from the submitted one, a
// line each, "path: there -> submitted", where submitted is a Job that
// [Request.Build] returned. It compares what is in the cluster, so it knows the API
// server's defaults, and lists fields that only the live Job has last: those were
// removed from the spec, or a controller has added them. Values of env, args, command
// and other fields that may be confidential are not shown.
func Drift(live, submitted *batchv1.Job) []string {
	d := differ{}
	d.compare("", specTree(live, submitted), specTree(submitted, nil), false)
	return slices.Concat(d.changed, d.removed)
}

// specTree is the spec as JSON, less what kontinue and the controllers change
// after creation. against is the job it will be compared with, nil for none.
func specTree(job, against *batchv1.Job) map[string]any {
	spec := job.Spec.DeepCopy()
	metadata := identity.MetadataOf(job)
	spec.TTLSecondsAfterFinished = metadata.TTLSeconds
	spec.Selector = nil
	for _, key := range identity.TemplateAnnotations() {
		delete(spec.Template.Annotations, key)
	}
	if against != nil && metadata.Stopped() {
		spec.ActiveDeadlineSeconds = against.Spec.ActiveDeadlineSeconds
		spec.Parallelism, spec.Suspend = against.Spec.Parallelism, against.Spec.Suspend
	}
	tree := map[string]any{}
	if raw, err := json.Marshal(spec); err == nil {
		_ = json.Unmarshal(raw, &tree) // what Marshal wrote is valid JSON
	}
	return tree
}

type differ struct{ changed, removed []string }

// listKeys are the fields by which the elements of two lists are matched.
var listKeys = []string{"name", "mountPath", "containerPort", "key", "topologyKey"}

func (d *differ) compare(path string, live, submitted any, secret bool) {
	switch want := submitted.(type) {
	case map[string]any:
		if have, ok := live.(map[string]any); ok {
			d.compareMaps(path, have, want, secret)
			return
		}
	case []any:
		have, ok := live.([]any)
		if key := listKey(want, have); ok && key != "" {
			d.compareLists(path, key, have, want, secret)
			return
		}
		if ok && len(have) == len(want) && !secret {
			for i := range want {
				d.compare(fmt.Sprintf("%s[%d]", path, i), have[i], want[i], false)
			}
			return
		}
	}
	if !reflect.DeepEqual(live, submitted) {
		d.changed = append(d.changed, line(path, live, submitted, secret))
	}
}

func (d *differ) compareMaps(path string, live, submitted map[string]any, secret bool) {
	keys := map[string]bool{}
	for k := range live {
		keys[k] = true
	}
	for k := range submitted {
		keys[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		child := strings.TrimPrefix(path+"."+k, ".")
		have, there := live[k]
		want, mine := submitted[k]
		switch {
		case !mine && (empty(have) || defaulted(path, k, have)):
		case !mine && k == "requests" && reflect.DeepEqual(have, live["limits"]): // defaulted from the limits
		case !mine:
			d.removed = append(d.removed, line(child, have, nil, secret || redact.Hidden(k))+" (removed, or added by the cluster)")
		case !there && (empty(want) || slices.Contains(defaults[k], want)): // no API server, but a fake one
		default:
			d.compare(child, have, want, secret || redact.Hidden(k))
		}
	}
}

// compareLists matches elements by key. The index in the path is the submitted
// one; an element that only the live Job has is named by its key.
func (d *differ) compareLists(path, key string, live, submitted []any, secret bool) {
	byKey := map[string]any{}
	for _, e := range live {
		byKey[keyOf(e, key)] = e
	}
	for i, e := range submitted {
		k := keyOf(e, key)
		child := fmt.Sprintf("%s[%d]", path, i)
		if strings.HasSuffix(path, ".env") {
			child = fmt.Sprintf("%s[%s]", path, k)
		}
		have, ok := byKey[k]
		delete(byKey, k)
		if ok {
			d.compare(child, have, e, secret)
			continue
		}
		d.changed = append(d.changed, fmt.Sprintf("%s[%s]: unset -> set", path, k))
	}
	for _, k := range slices.Sorted(maps.Keys(byKey)) {
		d.removed = append(d.removed, fmt.Sprintf("%s[%s]: set -> unset (removed, or added by the cluster)", path, k))
	}
}

// listKey is the field that all elements of both lists have, each with another value.
func listKey(lists ...[]any) string {
next:
	for _, key := range listKeys {
		for _, list := range lists {
			seen := map[string]bool{}
			for _, e := range list {
				k := keyOf(e, key)
				if k == "" || seen[k] {
					continue next
				}
				seen[k] = true
			}
		}
		return key
	}
	return ""
}

func keyOf(element any, key string) string {
	m, _ := element.(map[string]any)
	if v, ok := m[key]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

func line(path string, live, submitted any, secret bool) string {
	if secret {
		return path + ": changed"
	}
	return fmt.Sprintf("%s: %s -> %s", path, short(live), short(submitted))
}

func short(v any) string {
	const most = 80
	switch t := v.(type) {
	case nil:
		return "unset"
	case map[string]any, []any:
		// The inside may hold confidential fields; the path says enough.
		return "set"
	case string:
		t = strings.ReplaceAll(plain.Text(t), "\n", " ")
		if t == "" {
			return `""`
		}
		if len(t) > most {
			cut := most
			for !utf8.RuneStart(t[cut]) {
				cut--
			}
			return t[:cut] + "..."
		}
		return t
	default:
		return fmt.Sprint(t)
	}
}

func empty(v any) bool {
	switch t := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(t) == 0
	case []any:
		return len(t) == 0
	}
	return false
}

// defaults are the values that the API server fills in, by field (the defaults of
// batch/v1 and core/v1); nil stands for any value.
var defaults = map[string][]any{
	"backoffLimit": {6.0}, "completions": {1.0}, "parallelism": {1.0}, "completionMode": {"NonIndexed"},
	"suspend": {false}, "manualSelector": {false}, "podReplacementPolicy": nil,
	"dnsPolicy": {"ClusterFirst"}, "schedulerName": {"default-scheduler"}, "terminationGracePeriodSeconds": {30.0},
	"serviceAccount": nil, "enableServiceLinks": {true},
	"terminationMessagePath": {"/dev/termination-log"}, "imagePullPolicy": nil,
	"protocol": {"TCP"}, "timeoutSeconds": {1.0}, "periodSeconds": {10.0}, "successThreshold": {1.0},
	"failureThreshold": {3.0}, "scheme": {"HTTP"}, "service": {""}, "defaultMode": {420.0}, "apiVersion": {"v1"},
	"type": {""}, "operator": nil,
}

// defaulted reports whether the API server fills in a field that only the live Job has.
func defaulted(path, key string, v any) bool {
	if strings.HasSuffix(path, "labels") {
		return strings.HasPrefix(key, "batch.kubernetes.io/") || key == "job-name" || key == "controller-uid"
	}
	values, ok := defaults[key]
	return ok && (values == nil || slices.Contains(values, v))
}

// drift returns the Drift of a live Job from the request. What only the base of the pod
// templates has is left out, unless that is all: the Job does not say what the base was
// when it was created.
func (r *Request) drift(live *batchv1.Job) ([]string, error) {
	job, err := r.build()
	if err != nil {
		return nil, err
	}
	all := Drift(unqueued(live, job), job)
	if r.PodTemplate == nil {
		return all, nil
	}
	plain := *r
	plain.PodTemplate = nil
	if job, err = plain.build(); err != nil {
		return nil, err
	}
	without := Drift(unqueued(live, job), job)
	if own := slices.DeleteFunc(slices.Clone(all), func(line string) bool { return !slices.Contains(without, line) }); len(own) > 0 {
		return own, nil
	}
	return all, nil
}
