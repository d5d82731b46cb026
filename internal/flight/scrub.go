package flight

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/internal/redact"
	"github.com/kontinue/kontinue/pods"
)

// Scrubber removes what may be confidential from objects. A text is replaced by a word that
// is made from it with a key that is written nowhere: equal texts get equal words, and no
// text can be found by trying. Kept are the texts of the fields in kept, those of types
// that are enumerations, such as a pod's phase, and numbers and times. Create it with
// [NewScrubber].
type Scrubber struct{ key [sha256.Size]byte }

// NewScrubber returns a Scrubber with a key of its own.
func NewScrubber() *Scrubber {
	s := new(Scrubber)
	_, _ = rand.Read(s.key[:]) // never fails
	return s
}

// Word returns what stands for a text. It is a valid name and label value.
func (s *Scrubber) Word(text string) string {
	if text == "" || strings.HasPrefix(text, removed) && len(text) == len(removed)+2*wordBytes {
		return text
	}
	mac := hmac.New(sha256.New, s.key[:])
	_, _ = mac.Write([]byte(text))
	return removed + hex.EncodeToString(mac.Sum(nil)[:wordBytes])
}

const (
	removed   = "removed-"
	wordBytes = 8
)

// kept are the fields whose texts are written as they are, by type: names, and what the
// engine decides by.
var kept = fields(`
	ObjectMeta: Name GenerateName Namespace ResourceVersion Finalizers
	TypeMeta: Kind APIVersion
	ListMeta: ResourceVersion Continue
	OwnerReference: APIVersion Kind Name
	JobSpec: ManagedBy
	JobStatus: CompletedIndexes FailedIndexes
	SuccessPolicyRule: SucceededIndexes
	JobCondition: Reason
	PodFailurePolicyOnExitCodesRequirement: ContainerName
	PodSpec: SchedulerName ServiceAccountName DeprecatedServiceAccount
	PodStatus: Reason
	PodCondition: Reason
	Container: Name Image TerminationMessagePath
	EphemeralContainerCommon: Name Image TerminationMessagePath
	ContainerStatus: Name Image
	ContainerStateWaiting: Reason
	ContainerStateTerminated: Reason
	EnvVar: Name
	ObjectFieldSelector: APIVersion FieldPath
	Volume: Name
	VolumeMount: Name
	SecretVolumeSource: SecretName
	LocalObjectReference: Name
	Event: Reason Type
	ObjectReference: Kind Namespace Name APIVersion FieldPath
	Status: Status
	StatusDetails: Name Group Kind
	StatusCause: Field
`)

// messages are the fields that have words of Kubernetes. Values of the object's own
// template are removed from them.
var messages = fields(`
	JobCondition: Message
	PodStatus: Message
	PodCondition: Message
	ContainerStateWaiting: Message
	Event: Message
	Status: Message
	StatusCause: Message
`)

func fields(text string) map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(text) {
		typ, names, _ := strings.Cut(strings.TrimSpace(line), ":")
		for name := range strings.FieldsSeq(names) {
			all[typ+"."+name] = true
		}
	}
	return all
}

var (
	plainString = reflect.TypeFor[string]()
	objectMeta  = reflect.TypeFor[metav1.ObjectMeta]()
	whole       = map[reflect.Type]bool{
		reflect.TypeFor[metav1.Time](): true, reflect.TypeFor[metav1.MicroTime](): true, reflect.TypeFor[resource.Quantity](): true,
	}
)

// Scrub changes the object that the pointer refers to. Of messages it removes the secrets.
func (s *Scrubber) Scrub(object any, secrets redact.Secrets) {
	s.scrub(reflect.ValueOf(object), "", secrets)
}

// scrub changes a value in place; field is the one that it is in.
func (s *Scrubber) scrub(v reflect.Value, field string, secrets redact.Secrets) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			s.scrub(v.Elem(), field, secrets)
		}
	case reflect.Struct:
		t := v.Type()
		if whole[t] {
			return
		}
		if meta, ok := v.Addr().Interface().(*metav1.ObjectMeta); ok && t == objectMeta {
			s.scrubMeta(meta, secrets)
		}
		for i := range t.NumField() {
			if t.Field(i).IsExported() {
				s.scrub(v.Field(i), t.Name()+"."+t.Field(i).Name, secrets)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetZero()
			return
		}
		for i := range v.Len() {
			s.scrub(v.Index(i), field, secrets)
		}
	case reflect.Map:
		if v.Type().Elem().Kind() == reflect.Slice { // of a Secret: its keys may be digests
			v.SetZero()
			return
		}
		switch field {
		case "ObjectMeta.Labels", "ObjectMeta.Annotations":
			return // see scrubMeta
		case "LabelSelector.MatchLabels":
			s.ScrubLabels(v.Interface().(map[string]string)) //nolint:forcetypeassert,errcheck // of the API
			return
		}
		for _, key := range v.MapKeys() {
			value := reflect.New(v.Type().Elem()).Elem()
			value.Set(v.MapIndex(key))
			s.scrub(value, field, secrets)
			v.SetMapIndex(key, value)
		}
	case reflect.String:
		if v.Type() != plainString || kept[field] {
			return // an enumeration, such as a phase, or a UID
		}
		if messages[field] {
			v.SetString(secrets.Hide(v.String()))
			return
		}
		v.SetString(s.Word(v.String()))
	default:
	}
}

func (s *Scrubber) scrubMeta(meta *metav1.ObjectMeta, secrets redact.Secrets) {
	meta.ManagedFields = nil
	meta.Labels, meta.Annotations = maps.Clone(meta.Labels), maps.Clone(meta.Annotations)
	s.ScrubLabels(meta.Labels)
	s.scrubAnnotations(meta.Annotations, secrets)
}

// ownKeys are the beginnings of the keys whose values are names, numbers or words of
// Kubernetes or of this library.
var ownKeys = []string{identity.Prefix, identity.LabelManagedBy, identity.LabelQueue, "batch.kubernetes.io/", "job-name", "controller-uid"}

func own(key string) bool {
	for _, prefix := range ownKeys {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// ScrubLabels replaces the values of labels but those of this library and of Kubernetes.
func (s *Scrubber) ScrubLabels(labels map[string]string) {
	for key, value := range labels {
		if !own(key) {
			labels[key] = s.Word(value)
		}
	}
}

func (s *Scrubber) scrubAnnotations(annotations map[string]string, secrets redact.Secrets) {
	for key, value := range annotations {
		switch key {
		case identity.AnnotationRecord:
			annotations[key] = s.recordText(value, secrets)
		case identity.AnnotationGaveUp:
			annotations[key] = secrets.Hide(value)
		case identity.AnnotationExecution, identity.AnnotationRun, identity.AnnotationAttempt, identity.AnnotationTTL, identity.AnnotationCanceled,
			"batch.kubernetes.io/job-completion-index":
		default: // also the hash, by which a short value could be found
			annotations[key] = s.Word(value)
		}
	}
}

// recordText returns a record without what containers have written. One that cannot be read
// stays unreadable.
func (s *Scrubber) recordText(text string, secrets redact.Secrets) string {
	r, err := record.Decode(text)
	if err != nil {
		return s.Word(text)
	}
	r.Message = secrets.Hide(r.Message)
	outcomes, cut, err := pods.Decode(string(r.Pods))
	if err != nil {
		r.Pods = []byte(`{"v":0}`)
	} else {
		for i := range outcomes {
			s.outcome(&outcomes[i], secrets)
		}
		list, nowCut, err := pods.Encode(outcomes, 0)
		if err != nil {
			return s.Word(text)
		}
		if cut && !nowCut {
			list = strings.Replace(list, `"v":1`, `"v":1,"cut":true`, 1)
		}
		r.Pods = []byte(list)
	}
	scrubbed, err := r.Encode()
	if err != nil {
		return s.Word(text)
	}
	return scrubbed
}

// waiting is the state of a container whose message the kubelet has written.
const waiting = "Waiting"

func (s *Scrubber) outcome(o *pods.Outcome, secrets redact.Secrets) {
	o.Message, o.Node = secrets.Hide(o.Message), s.Word(o.Node)
	for i := range o.Containers {
		for c := &o.Containers[i]; c != nil; c = c.Previous {
			if c.State == waiting {
				c.Message = secrets.Hide(c.Message)
			} else {
				c.Message = s.Word(c.Message)
			}
		}
	}
}
