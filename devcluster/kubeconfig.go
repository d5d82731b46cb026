package devcluster

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// contextName is the name of the context, the cluster and the user in a kubeconfig.
const contextName = "kontinue-dev"

// Kubeconfig returns a kubeconfig file for the endpoint, with its token in it.
func (e *Endpoint) Kubeconfig() ([]byte, error) {
	config := api.NewConfig()
	config.Clusters[contextName] = &api.Cluster{Server: e.url, CertificateAuthorityData: e.authority}
	config.AuthInfos[contextName] = &api.AuthInfo{Token: e.token}
	config.Contexts[contextName] = &api.Context{Cluster: contextName, AuthInfo: contextName, Namespace: "default"}
	config.CurrentContext = contextName
	return clientcmd.Write(*config)
}

// WriteKubeconfig writes the kubeconfig file, which only its owner may read. It replaces
// an existing file as a whole.
func (e *Endpoint) WriteKubeconfig(path string) error {
	content, err := e.Kubeconfig()
	if err != nil {
		return fmt.Errorf("devcluster: kubeconfig: %w", err)
	}
	if err := writeFile(path, content); err != nil {
		return fmt.Errorf("devcluster: write the kubeconfig %s: %w", path, err)
	}
	return nil
}
