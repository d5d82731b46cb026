package apiserver

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	batchv1apply "k8s.io/client-go/applyconfigurations/batch/v1"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

func conf(data ...string) *corev1apply.ConfigMapApplyConfiguration {
	c := corev1apply.ConfigMap("conf", testNamespace)
	for i := 0; i < len(data); i += 2 {
		c.WithData(map[string]string{data[i]: data[i+1]})
	}
	return c
}

func managers(o metav1.Object) (all []string) {
	for _, m := range o.GetManagedFields() {
		all = append(all, fmt.Sprintf("%s %s %s", m.Manager, m.Operation, m.Subresource))
	}
	return all
}

func TestApply(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	configs := c.CoreV1().ConfigMaps(testNamespace)
	ctx := t.Context()
	made, err := configs.Apply(ctx, conf("a", "1", "b", "1"), metav1.ApplyOptions{FieldManager: "me"})
	require.NoError(t, err)
	require.Equal(t, []string{"me Apply "}, managers(made))
	require.JSONEq(t, `{"f:data":{"f:a":{},"f:b":{}}}`, made.ManagedFields[0].FieldsV1.GetRawString())
	same, err := configs.Apply(ctx, conf("a", "1", "b", "1"), metav1.ApplyOptions{FieldManager: "me"})
	require.NoError(t, err)
	require.Equal(t, made, same, "what changes nothing is not written")

	// Another manager meets a conflict, unless it agrees or uses force.
	_, err = configs.Apply(ctx, conf("a", "2", "c", "1"), metav1.ApplyOptions{FieldManager: "you"})
	requireReason(t, err, metav1.StatusReasonConflict, `Apply failed with 1 conflict: conflict with "me": .data.a`)
	status, ok := err.(apierrors.APIStatus)
	require.True(t, ok)
	require.Equal(t, []metav1.StatusCause{{Type: metav1.CauseTypeFieldManagerConflict, Message: `conflict with "me"`, Field: ".data.a"}}, status.Status().Details.Causes)
	shared, err := configs.Apply(ctx, conf("a", "1", "c", "1"), metav1.ApplyOptions{FieldManager: "you"})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "1", "b": "1", "c": "1"}, shared.Data)
	forced, err := configs.Apply(ctx, conf("a", "2", "c", "1"), metav1.ApplyOptions{FieldManager: "you", Force: true})
	require.NoError(t, err)
	require.Equal(t, "2", forced.Data["a"])

	// A field that is not applied any more is removed by its last manager.
	less, err := configs.Apply(ctx, conf("a", "2"), metav1.ApplyOptions{FieldManager: "you"})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "2", "b": "1"}, less.Data)

	// Other writes are tracked now.
	less.Data["b"] = "3"
	updated, err := configs.Update(ctx, less, metav1.UpdateOptions{FieldManager: "editor"})
	require.NoError(t, err)
	require.Equal(t, []string{"you Apply ", "editor Update "}, managers(updated))
	again, err := configs.Update(ctx, updated, metav1.UpdateOptions{FieldManager: "editor"})
	require.NoError(t, err)
	require.Equal(t, updated, again)
	patched, err := configs.Patch(ctx, "conf", types.MergePatchType, []byte(`{"data":{"d":"4"}}`), metav1.PatchOptions{FieldManager: "patcher"})
	require.NoError(t, err)
	require.Equal(t, []string{"you Apply ", "editor Update ", "patcher Update "}, managers(patched))
	_, err = configs.Apply(ctx, conf("d", "5"), metav1.ApplyOptions{FieldManager: "you"})
	requireReason(t, err, metav1.StatusReasonConflict, `conflict with "patcher" using v1: .data.d`)
}

// TestApplyOfPlainObjects: an object that was never applied has no managed fields, and
// all its fields have one manager at the first apply.
func TestApplyOfPlainObjects(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	configs := c.CoreV1().ConfigMaps(testNamespace)
	made, err := configs.Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "conf", ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "x", Operation: "Update", APIVersion: "v1"}}},
		Data:       map[string]string{"a": "1"},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Empty(t, made.ManagedFields)
	made.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "x", Operation: "Update", APIVersion: "v1"}}
	same, err := configs.Update(t.Context(), made, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Empty(t, same.ManagedFields)
	require.Equal(t, made.ResourceVersion, same.ResourceVersion)
	_, err = configs.Apply(t.Context(), conf("a", "2"), metav1.ApplyOptions{FieldManager: "me"})
	requireReason(t, err, metav1.StatusReasonConflict, `conflict with "before-first-apply" using v1: .data.a`)
	applied, err := configs.Apply(t.Context(), conf("b", "2"), metav1.ApplyOptions{FieldManager: "me"})
	require.NoError(t, err)
	require.Equal(t, []string{"me Apply ", "before-first-apply Update "}, managers(applied))
}

// TestCreateWithManager: an object that was created with a manager has managed fields
// from the start.
func TestCreateWithManager(t *testing.T) {
	t.Parallel()
	_, c := newCustomServer(t)
	in := c.Resource(executionsGVR).Namespace(testNamespace)
	made, err := in.Create(t.Context(), execution("e"), metav1.CreateOptions{FieldManager: "kubectl-create"})
	require.NoError(t, err)
	require.Equal(t, []string{"kubectl-create Update "}, managers(made))
	require.Equal(t, map[string]any{"f:spec": map[string]any{".": map[string]any{}, "f:steps": map[string]any{}}}, fieldsOf(t, made.GetManagedFields()[0]))
	other := execution("e")
	delete(other.Object, "status")
	other.Object["spec"] = map[string]any{"steps": int64(2)}
	_, err = in.Apply(t.Context(), "e", other, metav1.ApplyOptions{FieldManager: "me"})
	requireReason(t, err, metav1.StatusReasonConflict, `conflict with "kubectl-create" using example.com/v1: .spec.steps`)
}

func fieldsOf(t *testing.T, m metav1.ManagedFieldsEntry) (fields map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(m.FieldsV1.GetRawBytes(), &fields))
	return fields
}

func TestApplyJob(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	job := func(image string) *batchv1apply.JobApplyConfiguration {
		return batchv1apply.Job("job", testNamespace).WithSpec(batchv1apply.JobSpec().WithTemplate(corev1apply.PodTemplateSpec().WithSpec(
			corev1apply.PodSpec().WithRestartPolicy(corev1.RestartPolicyNever).WithContainers(corev1apply.Container().WithName("main").WithImage(image)))))
	}
	jobs := c.BatchV1().Jobs(testNamespace)
	tried, err := jobs.Apply(t.Context(), job("a:1"), metav1.ApplyOptions{FieldManager: "me", DryRun: []string{metav1.DryRunAll}})
	require.NoError(t, err)
	require.Equal(t, ptr.To[int32](6), tried.Spec.BackoffLimit)
	_, err = jobs.Get(t.Context(), "job", metav1.GetOptions{})
	requireReason(t, err, metav1.StatusReasonNotFound)
	undo := s.Deny(Match{Verb: "create", Resource: "jobs"})
	_, err = jobs.Apply(t.Context(), job("a:1"), metav1.ApplyOptions{FieldManager: "me"})
	requireReason(t, err, metav1.StatusReasonForbidden, "cannot create resource")
	undo()
	made, err := jobs.Apply(t.Context(), job("a:1"), metav1.ApplyOptions{FieldManager: "me"})
	require.NoError(t, err)
	require.NotEmpty(t, made.UID)
	require.Equal(t, "a:1", made.Spec.Template.Spec.Containers[0].Image)
	_, err = jobs.Apply(t.Context(), job("b:1"), metav1.ApplyOptions{FieldManager: "me"})
	requireReason(t, err, metav1.StatusReasonInvalid, "field is immutable")
	suspended, err := jobs.Apply(t.Context(), batchv1apply.Job("job", testNamespace).WithSpec(batchv1apply.JobSpec().WithSuspend(true)), metav1.ApplyOptions{FieldManager: "you", Force: true})
	require.NoError(t, err)
	require.True(t, *suspended.Spec.Suspend)
	require.EqualValues(t, 2, suspended.Generation)
	withStatus, err := jobs.ApplyStatus(t.Context(), batchv1apply.Job("job", testNamespace).WithStatus(batchv1apply.JobStatus().WithConditions(
		batchv1apply.JobCondition().WithType(batchv1.JobSuspended).WithStatus(corev1.ConditionTrue))), metav1.ApplyOptions{FieldManager: "controller"})
	require.NoError(t, err)
	require.Len(t, withStatus.Status.Conditions, 1)
	require.Contains(t, managers(withStatus), "controller Apply status")
	_, err = jobs.ApplyStatus(t.Context(), batchv1apply.Job("none", testNamespace), metav1.ApplyOptions{FieldManager: "controller"})
	requireReason(t, err, metav1.StatusReasonNotFound)
}

func TestApplyCustomResource(t *testing.T) {
	t.Parallel()
	_, c := newCustomServer(t)
	in := c.Resource(executionsGVR).Namespace(testNamespace)
	config := func(spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "example.com/v1", "kind": "Execution", "metadata": map[string]any{"name": "e"}, "spec": spec,
		}}
	}
	made, err := in.Apply(t.Context(), "e", config(map[string]any{"a": "1", "list": []any{"x"}}), metav1.ApplyOptions{FieldManager: "me"})
	require.NoError(t, err)
	require.Equal(t, []string{"me Apply "}, managers(made))
	_, err = in.Apply(t.Context(), "e", config(map[string]any{"list": []any{"y"}}), metav1.ApplyOptions{FieldManager: "you"})
	requireReason(t, err, metav1.StatusReasonConflict, `conflict with "me": .spec.list`)
	next, err := in.Apply(t.Context(), "e", config(map[string]any{"list": []any{"y"}}), metav1.ApplyOptions{FieldManager: "me"})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"list": []any{"y"}}, next.Object["spec"])
	require.EqualValues(t, 2, next.GetGeneration())
	status := config(nil)
	status.Object["status"] = map[string]any{"phase": "Running"}
	delete(status.Object, "spec")
	reported, err := in.ApplyStatus(t.Context(), "e", status, metav1.ApplyOptions{FieldManager: "worker"})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"phase": "Running"}, reported.Object["status"])
	require.Equal(t, next.Object["spec"], reported.Object["spec"])
	require.Contains(t, managers(reported), "worker Apply status")
	reported.Object["status"] = map[string]any{"phase": "Done"}
	done, err := in.UpdateStatus(t.Context(), reported, metav1.UpdateOptions{FieldManager: "other"})
	require.NoError(t, err)
	require.Contains(t, managers(done), "other Update status")
	same, err := in.UpdateStatus(t.Context(), done, metav1.UpdateOptions{FieldManager: "other"})
	require.NoError(t, err)
	require.Equal(t, done, same)
}

func TestBadApplies(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	const path, apply = "/api/v1/namespaces/work/configmaps/conf", "application/apply-patch+yaml"
	for name, tc := range map[string]struct {
		query, body string
		code        int
		says        string
	}{
		"no manager":     {"", "{}", 422, "fieldManager: Required value: is required for apply patch"},
		"no YAML":        {"?fieldManager=me", "a: [", 400, "error encoding patch: yaml: line 1"},
		"no kind":        {"?fieldManager=me", "metadata: {name: conf}", 400, "invalid object type"},
		"another kind":   {"?fieldManager=me", "apiVersion: v1\nkind: Secret\nmetadata: {name: conf}", 400, "invalid object type"},
		"another name":   {"?fieldManager=me", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}", 400, "does not match the name on the URL"},
		"unknown field":  {"?fieldManager=me", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\nspec: 1", 500, ".spec: field not declared in schema"},
		"managed fields": {"?fieldManager=me", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf, managedFields: [{manager: x}]}", 400, "metadata.managedFields must be nil"},
		"UID":            {"?fieldManager=me", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf, uid: x}", 409, "uid mismatch"},
		"twice":          {"?fieldManager=me&fieldValidation=Strict", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {a: b, a: c}", 400, "error strict decoding patch"},
		"force":          {"?fieldManager=me&force=true&dryRun=All", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {a: b, a: c}", 201, `"a":"c"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, body := send(t, s, "PATCH", path+tc.query, apply, tc.body)
			require.Equal(t, tc.code, code, body)
			require.Contains(t, body, tc.says)
		})
	}
	code, body := send(t, s, "PATCH", path+"?force=true", "application/merge-patch+json", "{}")
	require.Equal(t, 422, code)
	require.Contains(t, body, "may not be specified for non-apply patch")
}

// TestFieldValidation: what a patch has twice or the type does not know is an error, a
// warning or ignored.
func TestFieldValidation(t *testing.T) {
	t.Parallel()
	s, _ := newServer(t)
	config := s.Config("me")
	var w warned
	config.QPS, config.WarningHandler = -1, &w
	c, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	configs := c.CoreV1().ConfigMaps(testNamespace)
	_, err = configs.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "conf"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	for _, tc := range []struct {
		pt    types.PatchType
		body  string
		warns []string
		says  string
	}{
		{types.MergePatchType, `{"data":{"a":"b","a":"c"},"spec":{}}`, []string{`duplicate field "data.a"`, `unknown field "spec"`}, `strict decoding error: duplicate field "data.a", unknown field "spec"`},
		{types.StrategicMergePatchType, `{"metadata":{"nick":1}}`, []string{`unknown field "metadata.nick"`}, `map[metadata:map[nick:1]]`},
		{types.JSONPatchType, `[{"op":"add","path":"/spec","value":1,"more":2}]`, []string{`json patch unknown field "[0].more"`, `unknown field "spec"`}, `\"kind\":\"ConfigMap\"`},
	} {
		_, err = configs.Patch(t.Context(), "conf", tc.pt, []byte(tc.body), metav1.PatchOptions{FieldValidation: metav1.FieldValidationStrict})
		requireReason(t, err, metav1.StatusReasonInvalid, "strict decoding error", tc.says)
		require.Empty(t, w.texts)
		_, err = configs.Patch(t.Context(), "conf", tc.pt, []byte(tc.body), metav1.PatchOptions{})
		require.NoError(t, err)
		require.Equal(t, tc.warns, w.texts)
		w.texts = nil
		_, err = configs.Patch(t.Context(), "conf", tc.pt, []byte(tc.body), metav1.PatchOptions{FieldValidation: metav1.FieldValidationIgnore})
		require.NoError(t, err)
		require.Empty(t, w.texts)
	}
	_, err = configs.Patch(t.Context(), "conf", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{FieldValidation: "Maybe"})
	requireReason(t, err, metav1.StatusReasonInvalid, "fieldValidation: Unsupported value")
}
