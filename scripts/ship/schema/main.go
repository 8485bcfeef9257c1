// Schema holds files that Docker Compose and Kubernetes read to the types of those,
// where neither is at hand: what they do not know is an error.
//
//	schema compose FILE…         files of Compose, with the variables of the environment
//	schema kubernetes FOLDER…    what "kubectl apply -k FOLDER" makes of each
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) > 1 && args[0] == "compose":
		return compose(args[1:])
	case len(args) > 1 && args[0] == "kubernetes":
		return kubernetes(args[1:])
	}
	return errors.New("want compose FILE…, or kubernetes FOLDER…")
}

func compose(files []string) error {
	options, err := cli.NewProjectOptions(files, cli.WithOsEnv)
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	for _, name := range project.ServiceNames() {
		fmt.Println("service", name)
	}
	return nil
}

func kubernetes(folders []string) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(appsv1.AddToScheme(scheme), corev1.AddToScheme(scheme), policyv1.AddToScheme(scheme)); err != nil {
		return err
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	for _, folder := range folders {
		objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
		if err != nil {
			return err
		}
		for _, object := range objects.Resources() {
			text, err := object.AsYAML()
			if err != nil {
				return err
			}
			_, kind, err := strict.Decode(text, nil, nil)
			if err != nil {
				return fmt.Errorf("%s: %w in\n%s", folder, err, text)
			}
			fmt.Println(folder, kind.Kind, kind.GroupVersion())
		}
	}
	return nil
}
