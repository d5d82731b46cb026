package events

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/internal/apicall"
)

// workloadVersions are the versions of Kueue's API, of which each Kueue serves one at
// least. Both have the fields that are read.
var workloadVersions = []string{"v1beta2", "v1beta1"}

// jobUIDLabel is on the Workload that Kueue makes of a Job.
const jobUIDLabel = "kueue.x-k8s.io/job-uid"

// workload is what is read of a Workload of Kueue.
type workload struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Active *bool `json:"active"`
	} `json:"spec"`
	Status struct {
		Conditions      []metav1.Condition `json:"conditions"`
		AdmissionChecks []struct {
			Name, State, Message string
		} `json:"admissionChecks"`
	} `json:"status"`
}

// Held returns why Kueue holds a Job, in its own words, or nothing if there is no Workload
// of the Job or it does not say why. Without the right to list Workloads it returns nothing,
// and logs that once for each namespace. The clientset of a test has no REST client, and
// nothing is read.
//
// It takes turns with Warning.
func (r *Reader) Held(ctx context.Context, namespace string, job types.UID) (reason, message string, _ error) {
	client := r.client.CoreV1().RESTClient()
	if c, ok := client.(*rest.RESTClient); client == nil || ok && c == nil {
		return "", "", nil
	}
	if allowed, err := r.take(ctx, &r.noWorkloads, namespace); !allowed {
		return "", "", err
	}
	defer r.pass()
	raw, err := apicall.Bounded(ctx, func(ctx context.Context) (raw []byte, err error) {
		first := r.version.Load()
		for i := range int32(len(workloadVersions)) {
			version := (first + i) % int32(len(workloadVersions))
			if raw, err = listWorkloads(ctx, client, workloadVersions[version], namespace, job); err == nil {
				r.version.Store(version)
			}
			if !apierrors.IsNotFound(err) {
				break
			}
		}
		return raw, err
	})
	switch {
	case apierrors.IsForbidden(err):
		if r.noWorkloads.add(namespace) {
			r.log.WarnContext(ctx, "workloads of Kueue cannot be listed, so that steps do not say why their queue holds them: grant the verb list on workloads.kueue.x-k8s.io, which is optional",
				"namespace", namespace, "error", err)
		}
		return "", "", nil
	case apierrors.IsNotFound(err):
		return "", "", nil // Kueue is not installed
	case err != nil:
		return "", "", err
	}
	var list struct {
		Items []workload `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return "", "", fmt.Errorf("workloads of Kueue: %w", err)
	}
	var newest *workload
	for i := range list.Items {
		w := &list.Items[i]
		if w.DeletionTimestamp == nil && (newest == nil || newest.CreationTimestamp.Before(&w.CreationTimestamp)) {
			newest = w
		}
	}
	if newest == nil {
		return "", "", nil
	}
	reason, message = newest.held()
	return reason, message, nil
}

// listWorkloads reads from the API server's cache, without its database.
func listWorkloads(ctx context.Context, client rest.Interface, version, namespace string, job types.UID) ([]byte, error) {
	return client.Get().AbsPath("apis", "kueue.x-k8s.io", version, "namespaces", namespace, "workloads").
		SetHeader("Accept", "application/json").
		Param("labelSelector", jobUIDLabel+"="+string(job)).Param("resourceVersion", "0").
		Do(ctx).Raw()
}

// held is why the Workload is not admitted.
func (w *workload) held() (reason, message string) {
	of := func(kind string, status metav1.ConditionStatus) (*metav1.Condition, bool) {
		c := meta.FindStatusCondition(w.Status.Conditions, kind)
		return c, c != nil && c.Status == status
	}
	if w.Spec.Active != nil && !*w.Spec.Active {
		if c, ok := of("Evicted", metav1.ConditionTrue); ok {
			return c.Reason, c.Message
		}
		return "Deactivated", "the workload is deactivated (spec.active is false)"
	}
	if c, ok := of("QuotaReserved", metav1.ConditionFalse); ok {
		return c.Reason, c.Message
	}
	if _, ok := of("QuotaReserved", metav1.ConditionTrue); !ok {
		return "", ""
	}
	if _, ok := of("Admitted", metav1.ConditionTrue); ok {
		return "", ""
	}
	var checks []string
	for _, c := range w.Status.AdmissionChecks {
		if c.State != "Ready" {
			checks = append(checks, strings.TrimSuffix(fmt.Sprintf("%s is %s: %s", c.Name, c.State, c.Message), ": "))
		}
	}
	if len(checks) > 0 {
		return "AdmissionChecks", "quota is reserved, and not all admission checks are ready: " + strings.Join(checks, "; ")
	}
	if c, ok := of("Admitted", metav1.ConditionFalse); ok {
		return c.Reason, c.Message
	}
	return "", ""
}
