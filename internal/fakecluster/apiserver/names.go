package apiserver

// shortNames are the abbreviations of Kubernetes' own resources for kubectl, by kind.
var shortNames = map[string][]string{
	"CertificateSigningRequest": {"csr"}, "ConfigMap": {"cm"}, "CronJob": {"cj"}, "DaemonSet": {"ds"},
	"Deployment": {"deploy"}, "Endpoints": {"ep"}, "Event": {"ev"}, "HorizontalPodAutoscaler": {"hpa"},
	"Ingress": {"ing"}, "LimitRange": {"limits"}, "Namespace": {"ns"}, "NetworkPolicy": {"netpol"},
	"Node": {"no"}, "PersistentVolume": {"pv"}, "PersistentVolumeClaim": {"pvc"}, "Pod": {"po"},
	"PodDisruptionBudget": {"pdb"}, "PriorityClass": {"pc"}, "ReplicaSet": {"rs"},
	"ReplicationController": {"rc"}, "ResourceQuota": {"quota"}, "Service": {"svc"},
	"ServiceAccount": {"sa"}, "StatefulSet": {"sts"}, "StorageClass": {"sc"},
}

// inAll are the kinds that kubectl shows as "all".
var inAll = map[string]bool{
	"CronJob": true, "DaemonSet": true, "Deployment": true, "HorizontalPodAutoscaler": true, "Job": true, "Pod": true,
	"ReplicaSet": true, "ReplicationController": true, "Service": true, "StatefulSet": true,
}

// categoriesOf returns the categories of one of Kubernetes' own kinds.
func categoriesOf(kind string) []string {
	if inAll[kind] {
		return []string{"all"}
	}
	return nil
}
