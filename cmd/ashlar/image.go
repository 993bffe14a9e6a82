package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/ashlar-go/ashlar/cmd/ashlar/internal/image"
)

// imageCommand makes an OCI image.
type imageCommand struct {
	Package  string            `arg:"" optional:"" default:"." help:"The program's package."`
	Platform []string          `default:"linux/amd64,linux/arm64" help:"What to build for."`
	Output   string            `short:"o" default:"image.tar" help:"OCI archive to write."`
	Name     string            `help:"What the image is called in the archive; the package's folder if not said."`
	Push     string            `help:"Send it to a registry instead, as registry/name:tag."`
	Label    map[string]string `help:"More labels, as key=value."`
}

// Run is called by kong.
func (c imageCommand) Run(out printer) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	work, err := os.MkdirTemp("", "ashlar-image-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	var list []image.Built
	for _, text := range c.Platform {
		p, err := image.ParsePlatform(text)
		if err != nil {
			return err
		}
		b, err := c.build(ctx, p, work)
		if err != nil {
			return err
		}
		size, err := sizeOf(b)
		if err != nil {
			return err
		}
		list = append(list, b)
		if _, err := fmt.Fprintf(out, "%-12s %.1f MB\n", p, size); err != nil {
			return err
		}
	}
	if c.Push != "" {
		pinned, err := image.Push(ctx, list, c.Push)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, pinned)
		return err
	}
	name := c.Name
	if name == "" {
		name = list[0].Program.Name + ":latest"
	}
	to, err := filepath.Abs(c.Output)
	if err != nil {
		return err
	}
	if err := image.Save(list, name, to); err != nil {
		return err
	}
	digest, err := image.Digest(list)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s %s\n", c.Output, digest)
	return err
}

func (c imageCommand) build(ctx context.Context, p image.Platform, work string) (b image.Built, err error) {
	if b.Program, err = image.Compile(ctx, ".", c.Package, p, work); err != nil {
		return b, err
	}
	if b.Image, err = image.Of(ctx, b.Program, c.Label); err != nil {
		return b, err
	}
	b.SBOM, err = image.Attachment(b.Program, b.Image)
	return b, err
}

// sizeOf is what is transferred of an image, in megabytes.
func sizeOf(b image.Built) (float64, error) {
	layers, err := b.Image.Layers()
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, l := range layers {
		n, err := l.Size()
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return float64(sum) / 1e6, nil
}
