package printers

import (
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

var jobColumns = []metav1.TableColumnDefinition{
	nameColumn,
	column("Status", "Status of the job."),
	column("Completions", batchv1.JobStatus{}.SwaggerDoc()["succeeded"]),
	column("Duration", "Time required to complete the job."),
	ageColumn,
	wide("Containers", "Names of each container in the template."),
	wide("Images", "Images referenced by each container in the template."),
	wide("Selector", batchv1.JobSpec{}.SwaggerDoc()["selector"]),
}

func jobRow(job *batchv1.Job) metav1.TableRow {
	var names, images []string
	for _, c := range job.Spec.Template.Spec.Containers {
		names, images = append(names, c.Name), append(images, c.Image)
	}
	return cells(job.Name, jobStatus(job), completions(job), jobDuration(job), since(job.CreationTimestamp),
		strings.Join(names, ","), strings.Join(images, ","), metav1.FormatLabelSelector(job.Spec.Selector))
}

// jobStatus returns the first of its states that applies.
func jobStatus(job *batchv1.Job) string {
	has := map[batchv1.JobConditionType]bool{}
	for _, c := range job.Status.Conditions {
		if _, seen := has[c.Type]; !seen {
			has[c.Type] = c.Status == corev1.ConditionTrue
		}
	}
	switch {
	case has[batchv1.JobComplete]:
		return "Complete"
	case has[batchv1.JobFailed]:
		return "Failed"
	case job.DeletionTimestamp != nil:
		return "Terminating"
	case has[batchv1.JobSuspended]:
		return "Suspended"
	case has[batchv1.JobFailureTarget]:
		return "FailureTarget"
	case has[batchv1.JobSuccessCriteriaMet]:
		return "SuccessCriteriaMet"
	}
	return "Running"
}

func completions(job *batchv1.Job) string {
	if n := job.Spec.Completions; n != nil {
		return fmt.Sprintf("%d/%d", job.Status.Succeeded, *n)
	}
	if n := job.Spec.Parallelism; n != nil && *n > 1 {
		return fmt.Sprintf("%d/1 of %d", job.Status.Succeeded, *n)
	}
	return fmt.Sprintf("%d/1", job.Status.Succeeded)
}

func jobDuration(job *batchv1.Job) string {
	if job.Status.StartTime == nil {
		return ""
	}
	end := time.Now()
	if t := job.Status.CompletionTime; t != nil {
		end = t.Time
	}
	return duration.HumanDuration(end.Sub(job.Status.StartTime.Time))
}
