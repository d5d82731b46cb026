// Package docs runs the commands of the documentation: those of each page in their order, in
// one shell, and in the top folder of the repository. What a console shows must be their
// output, but for what differs by chance, such as the ends of names.
//
// Each page has a cluster of its own, that of kontinue dev, in its KUBECONFIG. A command
// "kontinue dev" is started in the background, and its KUBECONFIG is that of the commands
// after it. A block with the comment <!-- not run: REASON --> on the line before it is left
// out. A line "..." of an output stands for any number of lines, and the comment
// "# exits with N" for the exit code.
//
// kubectl is that of package cluster, if it is built, and otherwise that of the PATH.
package docs
