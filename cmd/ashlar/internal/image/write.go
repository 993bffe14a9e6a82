package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Built is an image with what it was made from.
type Built struct {
	Program Program
	Image   v1.Image
	SBOM    v1.Image
}

// index lists the images of all platforms.
func index(list []Built) v1.ImageIndex {
	all := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, b := range list {
		all = mutate.AppendManifests(all, mutate.IndexAddendum{Add: b.Image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: b.Program.OS, Architecture: b.Program.Arch},
		}})
	}
	return all
}

// Digest is that of the index: what a deployment pins.
func Digest(list []Built) (v1.Hash, error) { return index(list).Digest() }

// Save writes an OCI layout as an archive. The bills of materials are in it
// beside the images.
func Save(list []Built, ref, to string) (err error) {
	dir, err := os.MkdirTemp(filepath.Dir(to), ".image-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	at, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	named := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": ref})
	if err := at.AppendIndex(index(list), named); err != nil {
		return err
	}
	for _, b := range list {
		if err := at.AppendImage(b.SBOM); err != nil {
			return err
		}
	}
	return archive(dir, to)
}

// archive packs a folder, in one order and of one time.
func archive(dir, to string) (err error) {
	out, err := os.CreateTemp(filepath.Dir(to), ".image-*.tar")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	w := tar.NewWriter(out)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return add(w, dir, path)
	})
	if err := errors.Join(err, w.Close(), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), to)
}

func add(w *tar.Writer, dir, path string) (err error) {
	short, err := filepath.Rel(dir, path)
	if err != nil {
		return err
	}
	in, err := os.Open(path) //nolint:gosec // a file that was just written
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	h := &tar.Header{Name: filepath.ToSlash(short), Mode: 0o644, Size: info.Size(), ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(w, in)
	return err
}

// Push sends the images and their bills of materials to a registry, and returns
// what to pull. Credentials are those of `docker login`.
func Push(ctx context.Context, list []Built, ref string) (pinned string, err error) {
	tag, err := name.ParseReference(ref)
	if err != nil {
		return "", fmt.Errorf("%q names no image: %w", ref, err)
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	all := index(list)
	if err := remote.WriteIndex(tag, all, options...); err != nil {
		return "", fmt.Errorf("push %s: %w", ref, err)
	}
	for _, b := range list {
		digest, err := b.SBOM.Digest()
		if err != nil {
			return "", err
		}
		if err := remote.Write(tag.Context().Digest(digest.String()), b.SBOM, options...); err != nil {
			return "", fmt.Errorf("push the bill of materials of %s: %w", b.Program.Platform, err)
		}
	}
	digest, err := all.Digest()
	return tag.Context().Digest(digest.String()).String(), err
}
