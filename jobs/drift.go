package jobs

import batchv1 "k8s.io/api/batch/v1"

func drift(live, submitted *batchv1.Job) []string { return []string{"spec changed"} }
