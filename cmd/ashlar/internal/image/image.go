package image

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Of returns the image of a program.
func Of(ctx context.Context, p Program, labels map[string]string) (v1.Image, error) {
	binary, err := os.ReadFile(p.File)
	if err != nil {
		return nil, err
	}
	files, err := system(ctx)
	if err != nil {
		return nil, err
	}
	created := p.Created()
	below, err := layerOf(files, created)
	if err != nil {
		return nil, err
	}
	above, err := layerOf([]file{{"app", 0o755, 0, binary}}, created)
	if err != nil {
		return nil, err
	}
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	by := func(layer v1.Layer, comment string) mutate.Addendum {
		return mutate.Addendum{Layer: layer, MediaType: types.OCILayer, History: v1.History{
			Created: v1.Time{Time: created}, CreatedBy: "ashlar image", Comment: comment,
		}}
	}
	if img, err = mutate.Append(img, by(below, "root certificates, time zones, a user"), by(above, "the program")); err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = p.OS, p.Arch, v1.Time{Time: created}
	config.Config = v1.Config{
		User:       fmt.Sprintf("%d:%d", Nobody, Nobody),
		Entrypoint: []string{"/app"},
		WorkingDir: "/data",
		StopSignal: "SIGTERM",
		Env: []string{
			"SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt", "ZONEINFO=/etc/zoneinfo.zip", "HOME=/data",
			"ASHLAR_ENV=production", "ASHLAR_ADDR=:8080", "ASHLAR_ADMIN_ADDR=:9090", "ASHLAR_DATA_DIR=/data",
		},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "9090/tcp": {}},
		Labels:       p.labels(labels),
	}
	return mutate.ConfigFile(img, config)
}

// labels are those of the OCI image specification, and what else was asked for.
func (p Program) labels(more map[string]string) map[string]string {
	const oci = "org.opencontainers.image."
	list := map[string]string{oci + "title": p.Name, oci + "created": p.Created().Format("2006-01-02T15:04:05Z")}
	for key, value := range map[string]string{oci + "version": p.Version(), oci + "revision": p.Revision(), oci + "source": p.source()} {
		if value != "" {
			list[key] = value
		}
	}
	maps.Copy(list, more)
	return list
}

// source is where the module says that it comes from.
func (p Program) source() string {
	if p.Info.Main.Path == "" {
		return ""
	}
	return "https://" + p.Info.Main.Path
}

// mediaSBOM is the media type of a CycloneDX document.
const mediaSBOM = "application/vnd.cyclonedx+json"

// Attachment is the software bill of materials of a program's image, as an
// artifact that refers to it (OCI distribution 1.1).
func Attachment(p Program, img v1.Image) (v1.Image, error) {
	text, err := SBOM(p)
	if err != nil {
		return nil, err
	}
	subject, err := partial.Descriptor(img)
	if err != nil {
		return nil, err
	}
	a := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	a = mutate.ConfigMediaType(a, mediaSBOM) // which older registries take for the kind of artifact
	if a, err = mutate.AppendLayers(a, static.NewLayer(text, mediaSBOM)); err != nil {
		return nil, err
	}
	refers, ok := mutate.Subject(a, *subject).(v1.Image)
	if !ok {
		return nil, errors.New("an artifact is no image any more")
	}
	return refers, nil
}
