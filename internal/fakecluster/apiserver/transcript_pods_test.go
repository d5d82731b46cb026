package apiserver

import (
	"fmt"
	"sort"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

// causes writes type, field and wording of an error's causes, without the values.
func (r *recorder) causes(what string, err error) {
	if err == nil {
		r.ok(what, nil)
		return
	}
	fmt.Fprintf(&r.text, "## %s\n%s\n", what, apierrors.ReasonForError(err))
	status, ok := err.(apierrors.APIStatus)
	require.True(r.t, ok)
	var causes []string
	for _, c := range status.Status().Details.Causes {
		causes = append(causes, fmt.Sprintf("- %s %s: %s\n", c.Type, c.Field, r.anonymous(c.Message[strings.LastIndex(c.Message, ": ")+1:])))
	}
	sort.Strings(causes)
	r.text.WriteString(strings.Join(causes, ""))
}

func scriptPod(name string) *corev1.Pod {
	pod := testPod(name)
	// Nothing sets it without the ServiceAccount plugin.
	pod.Spec.ServiceAccountName = "default"
	pod.Labels = map[string]string{"app": "x"}
	return pod
}

func recordPods(r *recorder) {
	pods := r.c.CoreV1().Pods(scriptNamespace)
	w, err := pods.Watch(r.ctx, metav1.ListOptions{LabelSelector: "app=x"})
	require.NoError(r.t, err)
	defer w.Stop()
	create := func(pod *corev1.Pod) {
		_, err := pods.Create(r.ctx, pod, metav1.CreateOptions{})
		r.ok("create pod "+pod.Name, err)
	}
	patch := func(name, body string, sub ...string) {
		_, err := pods.Patch(r.ctx, name, types.StrategicMergePatchType, []byte(body), metav1.PatchOptions{}, sub...)
		r.causes("patch pod "+name+" "+body, err)
	}
	bind := func(name, node string) {
		r.ok("bind "+name, pods.Bind(r.ctx, &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: name}, Target: corev1.ObjectReference{Kind: "Node", Name: node}}, metav1.CreateOptions{}))
	}
	remove := func(name string, opts metav1.DeleteOptions) {
		r.ok("delete pod "+name, pods.Delete(r.ctx, name, opts))
	}
	show := func(name string) {
		out, err := pods.Get(r.ctx, name, metav1.GetOptions{})
		if err != nil {
			r.ok("get pod "+name, err)
			return
		}
		out.Spec = corev1.PodSpec{NodeName: out.Spec.NodeName}
		r.answer("get pod "+name, out, nil)
	}
	out, err := pods.Create(r.ctx, scriptPod("p"), metav1.CreateOptions{})
	r.answer("create pod", out, err)
	patch("p", `{"spec":{"containers":[{"name":"main","image":"other:1"}],"activeDeadlineSeconds":5},"status":{"phase":"Failed"}}`)
	patch("p", `{"spec":{"activeDeadlineSeconds":6}}`)
	patch("p", `{"spec":{"containers":[{"name":"second","image":"x"}]}}`)
	patch("p", `{"metadata":{"labels":{"app":"y"}}}`)
	patch("p", `{"metadata":{"labels":{"app":"x"}}}`)
	bind("p", "node-1")
	bind("p", "node-1")
	patch("p", `{"spec":{"nodeName":"z"},"status":{"phase":"Running","podIP":"10.0.0.1","containerStatuses":[{"name":"main","state":{"running":{}}}]}}`, "status")
	patch("p", `{"status":{"containerStatuses":[{"name":"main","state":{"running":null,"terminated":{"exitCode":3}}}]}}`, "status")
	patch("p", `{"status":{"containerStatuses":[{"name":"main","state":{"terminated":null,"running":{}}}]}}`, "status")
	show("p")
	patch("p", `{"metadata":{"finalizers":["batch.kubernetes.io/job-tracking"]}}`)
	remove("p", metav1.DeleteOptions{})
	show("p")
	remove("p", metav1.DeleteOptions{})
	remove("p", metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](60)})
	remove("p", metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](10)})
	remove("p", metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)})
	show("p")
	remove("p", metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)})
	patch("p", `{"metadata":{"$deleteFromPrimitiveList/finalizers":["batch.kubernetes.io/job-tracking"]}}`)
	show("p")

	create(scriptPod("unscheduled"))
	remove("unscheduled", metav1.DeleteOptions{})
	create(scriptPod("ended"))
	bind("ended", "node-1")
	patch("ended", `{"status":{"phase":"Succeeded"}}`, "status")
	remove("ended", metav1.DeleteOptions{})
	create(scriptPod("forced"))
	bind("forced", "node-1")
	remove("forced", metav1.DeleteOptions{})
	remove("forced", metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)})
	create(scriptPod("evicted"))
	bind("evicted", "node-1")
	patch("evicted", `{"status":{"phase":"Running"}}`, "status")
	r.ok("evict", pods.EvictV1(r.ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "evicted", Namespace: scriptNamespace}}))
	r.ok("evict nobody", pods.EvictV1(r.ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "nobody", Namespace: scriptNamespace}}))
	show("evicted")

	two := scriptPod("two")
	two.Spec.Containers = append(two.Spec.Containers, corev1.Container{Name: "second", Image: "x"})
	two.Spec.InitContainers = []corev1.Container{{Name: "first", Image: "x"}}
	create(two)
	for _, container := range []string{"", "nobody", "main"} {
		stream, err := pods.GetLogs("two", &corev1.PodLogOptions{Container: container}).Stream(r.ctx)
		r.ok("logs of container "+container, err)
		if err == nil {
			require.NoError(r.t, stream.Close())
		}
	}
	_, err = pods.GetLogs("nobody", &corev1.PodLogOptions{}).Stream(r.ctx)
	r.ok("logs of nobody", err)
	create(scriptPod("last"))
	r.text.WriteString("## events\n")
	r.events(w, "last")
}

func recordLists(r *recorder) {
	pods := r.c.CoreV1().Pods(scriptNamespace)
	list := func(opts metav1.ListOptions) *corev1.PodList {
		out, err := pods.List(r.ctx, opts)
		fmt.Fprintf(&r.text, "## list %q %q limit %d\n", opts.LabelSelector, opts.FieldSelector, opts.Limit)
		if err != nil {
			r.failure(err)
			return nil
		}
		for i := range out.Items {
			r.text.WriteString(out.Items[i].Name + "\n")
		}
		fmt.Fprintf(&r.text, "more: %v, remaining %v\n", out.Continue != "", ptr.Deref(out.RemainingItemCount, -1))
		return out
	}
	list(metav1.ListOptions{})
	page := list(metav1.ListOptions{Limit: 2})
	list(metav1.ListOptions{Limit: 2, Continue: page.Continue})
	list(metav1.ListOptions{Limit: 1, LabelSelector: "app=x"})
	list(metav1.ListOptions{FieldSelector: "spec.nodeName=node-1"})
	list(metav1.ListOptions{FieldSelector: "status.phase!=Pending"})
	list(metav1.ListOptions{FieldSelector: "metadata.name=two"})
	list(metav1.ListOptions{FieldSelector: "spec.hostname=x"})
	list(metav1.ListOptions{LabelSelector: "app notin (x)"})
	list(metav1.ListOptions{LabelSelector: "a=b=c"})
	list(metav1.ListOptions{ResourceVersion: "x"})
	list(metav1.ListOptions{Continue: "x"})
	_, err := pods.Watch(r.ctx, metav1.ListOptions{SendInitialEvents: ptr.To(true)})
	r.causes("watch list without match", err)
	_, err = pods.Watch(r.ctx, metav1.ListOptions{ResourceVersion: "x"})
	r.ok("watch from x", err)
}

func recordNamespaces(r *recorder) {
	spaces := r.c.CoreV1().Namespaces()
	out, err := spaces.Create(r.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "restricted", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}, metav1.CreateOptions{})
	r.answer("create namespace", out, err)
	for _, change := range []func(*corev1.Pod){
		func(*corev1.Pod) {},
		func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "b", Image: "x"})
			p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: ptr.To(true)}
		},
		func(p *corev1.Pod) {
			p.Spec.HostNetwork, p.Spec.HostPID = true, true
			p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true), RunAsUser: ptr.To[int64](0)}
			p.Spec.Volumes = []corev1.Volume{{Name: "h", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
		},
	} {
		pod := scriptPod("p")
		change(pod)
		_, err = r.c.CoreV1().Pods("restricted").Create(r.ctx, pod, metav1.CreateOptions{})
		r.ok("create pod in restricted", err)
	}
	_, err = r.c.BatchV1().Jobs("nowhere").Create(r.ctx, testJob("a"), metav1.CreateOptions{})
	r.ok("create job nowhere", err)
	r.ok("delete namespace", spaces.Delete(r.ctx, "restricted", metav1.DeleteOptions{}))
	out, err = spaces.Get(r.ctx, "restricted", metav1.GetOptions{})
	r.answer("get namespace", out, err)
	_, err = r.c.BatchV1().Jobs("restricted").Create(r.ctx, testJob("a"), metav1.CreateOptions{})
	r.ok("create job in the deleted namespace", err)
	out.Spec.Finalizers = nil
	_, err = spaces.Finalize(r.ctx, out, metav1.UpdateOptions{})
	r.ok("finalize namespace", err)
	_, err = spaces.Get(r.ctx, "restricted", metav1.GetOptions{})
	r.ok("get namespace: gone", err)
}
