package apiserver

import (
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

const scriptNamespace = "transcript"

func recordJobs(r *recorder) {
	_, err := r.c.CoreV1().Namespaces().Create(r.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: scriptNamespace}}, metav1.CreateOptions{})
	require.NoError(r.t, err)
	jobs := r.c.BatchV1().Jobs(scriptNamespace)
	create := func(what string, change func(*batchv1.Job)) *batchv1.Job {
		job := testJob("a")
		if change != nil {
			change(job)
		}
		out, err := jobs.Create(r.ctx, job, metav1.CreateOptions{})
		r.answer("create job: "+what, out, err)
		return out
	}
	first := create("plain", nil)
	create("again", nil)
	create("name of 64", func(j *batchv1.Job) { j.Name = strings.Repeat("b", 64) })
	create("name", func(j *batchv1.Job) { j.Name = "B_c" })
	create("no name", func(j *batchv1.Job) { j.Name = "" })
	create("resourceVersion", func(j *batchv1.Job) { j.Name, j.ResourceVersion = "b", "1" })
	create("namespace", func(j *batchv1.Job) { j.Name, j.Namespace = "b", "other" })
	create("restart always", func(j *batchv1.Job) { j.Name, j.Spec.Template.Spec.RestartPolicy = "b", corev1.RestartPolicyAlways })
	create("restart nonsense", func(j *batchv1.Job) { j.Name, j.Spec.Template.Spec.RestartPolicy = "b", "Maybe" })
	create("nothing", func(j *batchv1.Job) { j.Name, j.Spec.Template.Spec = "b", corev1.PodSpec{} })
	create("no image", func(j *batchv1.Job) { j.Name, j.Spec.Template.Spec.Containers[0].Image = "b", "" })
	create("container name", func(j *batchv1.Job) { j.Name, j.Spec.Template.Spec.Containers[0].Name = "b", "b_c" })
	create("mount", func(j *batchv1.Job) {
		j.Name = "b"
		j.Spec.Template.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}
	})
	create("mounts", func(j *batchv1.Job) {
		j.Name = "b"
		spec := &j.Spec.Template.Spec
		spec.Volumes = []corev1.Volume{{Name: "v"}}
		spec.Containers[0].VolumeMounts = []corev1.VolumeMount{
			{Name: "v", MountPath: "/v", SubPath: "/abs"}, {Name: "v", MountPath: "/v", SubPath: "a/../b"},
			{Name: "v", MountPath: "/w", SubPath: "a", SubPathExpr: "../a"},
		}
	})
	create("volumes", func(j *batchv1.Job) {
		j.Name = "b"
		items := []corev1.KeyToPath{{}, {Key: "k", Path: "/k"}, {Key: "k", Path: "..k"}, {Key: "k", Path: "../k", Mode: ptr.To[int32](0o1000)}}
		j.Spec.Template.Spec.Volumes = []corev1.Volume{
			{Name: "s", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{DefaultMode: ptr.To[int32](-1), Items: items}}},
			{Name: "c", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{Items: items}}},
			{Name: "p", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{}}},
			{Name: "j", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{Secret: &corev1.SecretProjection{}}, {ConfigMap: &corev1.ConfigMapProjection{Items: items[1:2]}},
			}}}},
		}
	})
	create("restart rules", func(j *batchv1.Job) {
		j.Name = "b"
		on := func(codes int) corev1.ContainerRestartRule {
			return corev1.ContainerRestartRule{
				Action:    corev1.ContainerRestartRuleActionRestartAllContainers,
				ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpNotIn, Values: make([]int32, codes)},
			}
		}
		spec := &j.Spec.Template.Spec
		spec.InitContainers = []corev1.Container{
			ruled("i", "", corev1.ContainerRestartRule{Action: corev1.ContainerRestartRuleActionRestart}),
			ruled("n", "Maybe", corev1.ContainerRestartRule{Action: "Other", ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: "Is"}}),
		}
		spec.Containers = []corev1.Container{
			ruled("a", "", corev1.ContainerRestartRule{Action: corev1.ContainerRestartRuleActionRestart}),
			ruled("m", corev1.ContainerRestartPolicyNever, slices.Repeat([]corev1.ContainerRestartRule{on(1)}, 21)...),
			ruled("x", corev1.ContainerRestartPolicyNever, on(256)),
		}
	})
	create("env", func(j *batchv1.Job) {
		j.Name = "b"
		j.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "", Value: "x"}, {Name: "a=b"}}
	})
	create("negative", func(j *batchv1.Job) {
		j.Name = "b"
		j.Spec.BackoffLimit, j.Spec.TTLSecondsAfterFinished, j.Spec.ActiveDeadlineSeconds = ptr.To[int32](-1), ptr.To[int32](-1), ptr.To[int64](-1)
		j.Spec.Parallelism, j.Spec.Completions = ptr.To[int32](-1), ptr.To[int32](-1)
	})
	create("indexed", func(j *batchv1.Job) {
		j.Name, j.Spec.CompletionMode, j.Spec.Parallelism = "b", ptr.To(batchv1.IndexedCompletion), ptr.To[int32](1)
	})
	create("indexed name", func(j *batchv1.Job) {
		j.Name = strings.Repeat("b", 63)
		j.Spec.CompletionMode, j.Spec.Completions = ptr.To(batchv1.IndexedCompletion), ptr.To[int32](1)
	})
	create("per index", func(j *batchv1.Job) {
		j.Name, j.Spec.BackoffLimitPerIndex, j.Spec.MaxFailedIndexes = "b", ptr.To[int32](1), ptr.To[int32](1)
	})
	create("managed by", func(j *batchv1.Job) { j.Name, j.Spec.ManagedBy = "b", ptr.To("x") })
	create("failure policy", func(j *batchv1.Job) {
		j.Name = "b"
		j.Spec.PodFailurePolicy = exitCodePolicy(batchv1.PodFailurePolicyOnExitCodesOpIn, 2, 0)
		j.Spec.PodFailurePolicy.Rules[0].OnExitCodes.ContainerName = ptr.To("nobody")
		j.Spec.PodReplacementPolicy = ptr.To(batchv1.TerminatingOrFailed)
		j.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	})
	create("labels of its own", func(j *batchv1.Job) { j.Name, j.Spec.Template.Labels = "b", map[string]string{"job-name": "x"} })
	create("selector of its own", func(j *batchv1.Job) {
		j.Name, j.Spec.Selector = "b", &metav1.LabelSelector{MatchLabels: map[string]string{"x": "y"}}
	})
	create("owner", func(j *batchv1.Job) {
		j.Name, j.OwnerReferences = "b", []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x"}}
	})
	create("with much", func(j *batchv1.Job) {
		j.Name, j.Labels = "much", nil
		j.Spec.Template.Labels = map[string]string{"team": "x"}
		j.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
			Action: batchv1.PodFailurePolicyActionIgnore, OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget}}}}}
		spec := &j.Spec.Template.Spec
		spec.Containers[0].Image = "alpine"
		spec.Containers[0].Env = []corev1.EnvVar{{Name: "N", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}}
		spec.Volumes = []corev1.Volume{{Name: "e"}, {Name: "s", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s"}}}}
		spec.InitContainers = []corev1.Container{{Name: "side", Image: "x:1", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}}
	})
	recordJobWrites(r, first)
}

func recordJobWrites(r *recorder, first *batchv1.Job) {
	jobs := r.c.BatchV1().Jobs(scriptNamespace)
	next := first.DeepCopy()
	next.Annotations = map[string]string{"k": "v"}
	next.Status.Succeeded = 5
	out, err := jobs.Update(r.ctx, next, metav1.UpdateOptions{})
	r.answer("update job", out, err)
	_, err = jobs.Update(r.ctx, next, metav1.UpdateOptions{})
	r.ok("update job: stale", err)
	next.ResourceVersion, next.UID = "", "c0ffee00-0000-0000-0000-000000000000"
	_, err = jobs.Update(r.ctx, next, metav1.UpdateOptions{})
	r.ok("update job: other uid", err)
	next.UID, next.Name = "", "nobody"
	_, err = jobs.Update(r.ctx, next, metav1.UpdateOptions{})
	r.ok("update job: missing", err)

	patch := func(pt types.PatchType, body string, sub ...string) {
		out, err := jobs.Patch(r.ctx, "a", pt, []byte(body), metav1.PatchOptions{}, sub...)
		if err != nil {
			r.ok("patch job: "+body, err)
			return
		}
		r.answer("patch job: "+body, &batchv1.Job{ObjectMeta: out.ObjectMeta}, nil)
	}
	patch(types.MergePatchType, `{"metadata":{"uid":"c0ffee00-0000-0000-0000-000000000000","annotations":{"k":"w"}}}`)
	patch(types.MergePatchType, `{"metadata":{"resourceVersion":"1","annotations":{"k":"w"}}}`)
	patch(types.MergePatchType, `{"metadata":{"name":"b"}}`)
	patch(types.MergePatchType, `{"metadata":{"labels":{"bad key!":"x"}}}`)
	patch(types.JSONPatchType, `[{"op":"test","path":"/metadata/name","value":"b"}]`)
	patch(types.MergePatchType, `{"spec":{"activeDeadlineSeconds":100,"ttlSecondsAfterFinished":9,"parallelism":0,"suspend":true}}`)
	patch(types.MergePatchType, `{"spec":{"suspend":false,"backoffLimit":1}}`)
	for _, field := range []string{
		`"completions":2`, `"template":{"metadata":{"annotations":{"a":"b"}}}`, `"selector":{"matchLabels":{"job-name":"a"}}`,
		`"completionMode":"Indexed"`, `"managedBy":"example.org/x"`, `"parallelism":-1`,
	} {
		_, err := jobs.Patch(r.ctx, "a", types.MergePatchType, []byte(`{"spec":{`+field+`}}`), metav1.PatchOptions{})
		// The messages print whole objects, so only the fields are recorded.
		r.causes("patch job: "+field, err)
	}
	patch(types.StrategicMergePatchType, `{"metadata":{"finalizers":["example.org/x"],"annotations":null}}`)
	patch(types.StrategicMergePatchType, `{"metadata":{"finalizers":["example.org/y"]}}`)

	r.ok("delete job: other uid", jobs.Delete(r.ctx, "a", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: ptr.To(types.UID("c0ffee00-0000-0000-0000-000000000000"))}}))
	r.ok("delete job: dry run", jobs.Delete(r.ctx, "a", metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}))
	r.ok("delete job", jobs.Delete(r.ctx, "a", metav1.DeleteOptions{}))
	get := func(what string) {
		out, err := jobs.Get(r.ctx, "a", metav1.GetOptions{})
		if err != nil {
			r.ok(what, err)
			return
		}
		r.answer(what, &batchv1.Job{ObjectMeta: out.ObjectMeta}, nil)
	}
	get("get job: orphaning")
	_, err = jobs.Create(r.ctx, testJob("a"), metav1.CreateOptions{})
	r.ok("create job: while it is deleted", err)
	patch(types.JSONPatchType, `[{"op":"add","path":"/metadata/finalizers/-","value":"example.org/z"}]`)
	r.ok("delete job: foreground", jobs.Delete(r.ctx, "a", metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationForeground)}))
	get("get job: foreground")
	r.ok("delete job: background", jobs.Delete(r.ctx, "a", metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}))
	get("get job: background")
	patch(types.MergePatchType, `{"metadata":{"finalizers":null}}`)
	get("get job: gone")
	r.ok("delete job: missing", jobs.Delete(r.ctx, "a", metav1.DeleteOptions{}))
}

func recordJobStatus(r *recorder) {
	jobs := r.c.BatchV1().Jobs(scriptNamespace)
	for _, script := range [][]string{
		{ // the way to success
			`{"startTime":"2026-01-02T03:04:05Z","active":1,"ready":0}`,
			`{"startTime":"2026-01-02T03:04:06Z"}`,
			`{"ready":2}`,
			`{"conditions":[{"type":"Complete","status":"True"}]}`,
			`{"active":0,"conditions":[{"type":"Complete","status":"True"}],"completionTime":"2026-01-02T03:04:09Z"}`,
			`{"conditions":[{"type":"SuccessCriteriaMet","status":"True"},{"type":"Complete","status":"True"}],"completionTime":"2026-01-02T03:04:09Z"}`,
			`{"active":0,"terminating":1,"conditions":[{"type":"SuccessCriteriaMet","status":"True"},{"type":"Complete","status":"True"}],"completionTime":"2026-01-02T03:04:09Z"}`,
			`{"active":0,"uncountedTerminatedPods":{"succeeded":["u"]},"conditions":[{"type":"SuccessCriteriaMet","status":"True"}]}`,
			`{"conditions":[{"type":"SuccessCriteriaMet","status":"True"},{"type":"Complete","status":"True"}],"completionTime":"2026-01-02T03:04:09Z"}`,
			`{"conditions":[]}`,
			`{"uncountedTerminatedPods":null,"conditions":[{"type":"SuccessCriteriaMet","status":"True"},{"type":"Complete","status":"True"}]}`,
			`{"uncountedTerminatedPods":null,"conditions":[{"type":"SuccessCriteriaMet","status":"True"},{"type":"Complete","status":"True"}],"completionTime":"2026-01-02T03:04:04Z"}`,
			`{"succeeded":1,"uncountedTerminatedPods":null,"conditions":[{"type":"SuccessCriteriaMet","status":"True"},{"type":"Complete","status":"True"}],"completionTime":"2026-01-02T03:04:09Z"}`,
			`{"succeeded":0}`,
			`{"conditions":[{"type":"SuccessCriteriaMet","status":"True"}]}`,
			`{"conditions":[{"type":"SuccessCriteriaMet","status":"True"},{"type":"Complete","status":"True"},{"type":"Failed","status":"True"}]}`,
			`{"completionTime":"2026-01-02T03:04:10Z"}`,
			`{"active":1}`,
		},
		{ // the way to failure
			`{"conditions":[{"type":"FailureTarget","status":"True"},{"type":"Failed","status":"True"}]}`,
			`{"startTime":"2026-01-02T03:04:05Z"}`,
			`{"conditions":[{"type":"Failed","status":"True"}]}`,
			`{"conditions":[{"type":"FailureTarget","status":"True"}]}`,
			`{"conditions":[{"type":"FailureTarget","status":"False"}]}`,
			`{"conditions":[{"type":"FailureTarget","status":"True"},{"type":"SuccessCriteriaMet","status":"True"}]}`,
			`{"failed":1,"conditions":[{"type":"FailureTarget","status":"True"},{"type":"Failed","status":"True"}]}`,
			`{"failed":0,"completedIndexes":"1","failedIndexes":"2"}`,
			`{"completionTime":"2026-01-02T03:04:10Z"}`,
		},
	} {
		job := testJob("")
		job.GenerateName = "status-"
		job, err := jobs.Create(r.ctx, job, metav1.CreateOptions{})
		require.NoError(r.t, err)
		for _, body := range script {
			_, err := jobs.Patch(r.ctx, job.Name, types.MergePatchType, []byte(`{"status":`+body+`,"spec":{"backoffLimit":3}}`), metav1.PatchOptions{}, "status")
			r.causes("status "+body, err)
		}
		out, err := jobs.Get(r.ctx, job.Name, metav1.GetOptions{})
		require.NoError(r.t, err)
		r.answer("get status", &batchv1.Job{Status: out.Status, Spec: batchv1.JobSpec{BackoffLimit: out.Spec.BackoffLimit}}, nil)
	}
}

// ruled returns a container with restart rules, and with a restart policy if it has one.
func ruled(name string, policy corev1.ContainerRestartPolicy, rules ...corev1.ContainerRestartRule) corev1.Container {
	c := corev1.Container{Name: name, Image: "busybox:1", RestartPolicyRules: rules}
	if policy != "" {
		c.RestartPolicy = &policy
	}
	return c
}
