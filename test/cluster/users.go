package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// User is the name of a user that the API server authenticates by a bearer token.
type User string

// The users of every cluster. Authorization is RBAC: [Admin] has all permissions, the
// others have only those of the Roles that a test binds to a subject of kind User with
// this name.
const (
	Admin  User = "kontinue-admin"
	Worker User = "kontinue-worker"
	Guest  User = "kontinue-guest"
)

// Users of the components, with the roles that Kubernetes grants them by default.
const (
	controllerManagerUser User = "system:kube-controller-manager"
	schedulerUser         User = "system:kube-scheduler"
	nodeUser              User = "system:node:" + NodeName
)

// userGroups holds all users and their groups.
var userGroups = map[User]string{
	Admin:                 "system:masters",
	Worker:                "",
	Guest:                 "",
	controllerManagerUser: "",
	schedulerUser:         "",
	nodeUser:              "system:nodes",
}

// newTokens returns a new token for each user.
func newTokens() map[User]string {
	tokens := make(map[User]string, len(userGroups))
	for user := range userGroups {
		tokens[user] = randomHex(16)
	}
	return tokens
}

// tokenFile returns the contents of kube-apiserver's --token-auth-file.
func tokenFile(tokens map[User]string) []byte {
	var b strings.Builder
	for user, token := range tokens {
		fmt.Fprintf(&b, "%s,%s,%s,%q\n", token, user, user, userGroups[user])
	}
	return []byte(b.String())
}

// writeKubeconfig writes a kubeconfig file for one user and API server URL.
func writeKubeconfig(path, server, cluster string, ca []byte, user User, token string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters[cluster] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	config.AuthInfos[string(user)] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[cluster] = &clientcmdapi.Context{Cluster: cluster, AuthInfo: string(user)}
	config.CurrentContext = cluster
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("write kubeconfig of %s: %w", user, err)
	}
	return os.Chmod(path, 0o600)
}

// RESTConfig returns a new client configuration for a user. It dials directly into the
// cluster's network namespace, so it works only in this process. To inject network
// faults, wrap its Dial. [Admin] has no client-side rate limit, the others have
// client-go's default.
func (c *Cluster) RESTConfig(user User) *rest.Config {
	config := &rest.Config{
		Host:            "https://" + apiServerAddress,
		BearerToken:     c.tokens[user],
		TLSClientConfig: rest.TLSClientConfig{CAData: c.authority.PEM},
		Dial:            c.sandbox.DialContext,
	}
	if user == Admin {
		config.QPS = -1
	}
	return config
}

// Kubeconfig returns the path of a user's kubeconfig file. It works for any program on
// this machine until the cluster stops: its API server URL is a loopback port that this
// process forwards.
func (c *Cluster) Kubeconfig(user User) string {
	if user == Admin {
		return filepath.Join(c.claim.dir, "kubeconfig")
	}
	return filepath.Join(c.claim.dir, "kubeconfig-"+string(user))
}

// writeKubeconfigs writes the files whose paths Kubeconfig returns.
func (c *Cluster) writeKubeconfigs() error {
	for _, user := range []User{Admin, Worker, Guest} {
		err := writeKubeconfig(c.Kubeconfig(user), "https://"+c.forwarder.address(), c.options.Name,
			c.authority.PEM, user, c.tokens[user])
		if err != nil {
			return err
		}
	}
	return nil
}

// DialContext connects to an address inside the cluster's network. The address is an
// IP literal, such as [NodeIP] or that of a pod, with a port.
func (c *Cluster) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return c.sandbox.DialContext(ctx, network, address)
}

// ListenInside listens on a free port of [NodeIP] inside the cluster's network, for a
// server that the test runs: an admission webhook that the API server calls at
// https://ADDRESS (see [Cluster.ServingCertificate]), an image registry (HTTPS with
// the same certificate), or a peer of a pod.
func (c *Cluster) ListenInside(ctx context.Context) (net.Listener, error) {
	return c.sandbox.Listen(ctx, "tcp", NodeIP+":0")
}

// Grant gives a user permissions in every namespace. A second call for the same user
// returns an AlreadyExists error.
func (c *Cluster) Grant(ctx context.Context, user User, rules []rbacv1.PolicyRule) error {
	client, err := kubernetes.NewForConfig(c.RESTConfig(Admin))
	if err != nil {
		return err
	}
	name := metav1.ObjectMeta{Name: "granted-to-" + string(user)}
	_, err = client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: name, Rules: rules}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create role of %s: %w", user, err)
	}
	_, err = client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: name,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: string(user)}},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("bind role of %s: %w", user, err)
	}
	return nil
}
