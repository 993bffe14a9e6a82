//go:build !race

// These tests wait for compilers, of which the race detector sees nothing.

package image_test

import (
	"archive/tar"
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/ashlar-go/ashlar/cmd/ashlar/internal/image"
)

// program is a module with one small program.
func program(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for file, text := range map[string]string{
		"go.mod":      "module example.com/shop\n\ngo 1.26\n",
		"main.go":     "package main\n\nfunc main() { println(\"hello\") }\n",
		"lib/lib.go":  "package lib\n",
		"bad/main.go": "package main\n\nfunc main() { undefined() }\n",
	} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func build(t *testing.T, dir, pkg string, p image.Platform) image.Built {
	t.Helper()
	built, err := image.Compile(t.Context(), dir, pkg, p, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	img, err := image.Of(t.Context(), built, map[string]string{"team": "payments"})
	if err != nil {
		t.Fatal(err)
	}
	bill, err := image.Attachment(built, img)
	if err != nil {
		t.Fatal(err)
	}
	return image.Built{Program: built, Image: img, SBOM: bill}
}

var both = []image.Platform{{OS: "linux", Arch: "amd64"}, {OS: "linux", Arch: "arm64"}}

func digestOf(t *testing.T, list []image.Built) string {
	t.Helper()
	d, err := image.Digest(list)
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

func TestTheSameSourcesHaveTheSameDigest(t *testing.T) {
	t.Parallel()
	var digests, archives []string
	for range 2 { // in another folder
		dir := program(t)
		var list []image.Built
		for _, p := range both {
			list = append(list, build(t, dir, ".", p))
		}
		digests = append(digests, digestOf(t, list))
		to := filepath.Join(t.TempDir(), "image.tar")
		if err := image.Save(list, "shop:1", to); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		archives = append(archives, string(text))
	}
	if digests[0] != digests[1] || archives[0] != archives[1] {
		t.Errorf("digests %s, archives of %d and %d bytes", digests, len(archives[0]), len(archives[1]))
	}
}

func TestAnArchiveIsAnOCILayout(t *testing.T) {
	t.Parallel()
	b := build(t, program(t), ".", both[0])
	to := filepath.Join(t.TempDir(), "image.tar")
	if err := image.Save([]image.Built{b}, "shop:1", to); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	files := map[string]string{}
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(text)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal([]byte(files["index.json"]), &index); err != nil {
		t.Fatal(err)
	}
	if len(index.Manifests) != 2 || index.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "shop:1" || files["oci-layout"] == "" {
		t.Errorf("%+v", index)
	}
	for _, m := range index.Manifests {
		if files["blobs/sha256/"+m.Digest.Hex] == "" {
			t.Errorf("%s is not there", m.Digest)
		}
	}
}

func TestAnImageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	b := build(t, program(t), ".", both[1])
	c, err := b.Image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c.OS != "linux" || c.Architecture != "arm64" || c.Config.User != "65532:65532" || !slices.Equal(c.Config.Entrypoint, []string{"/app"}) ||
		c.Config.Labels["org.opencontainers.image.title"] != "shop" || c.Config.Labels["team"] != "payments" ||
		!slices.Contains(c.Config.Env, "ASHLAR_ENV=production") || c.Config.StopSignal != "SIGTERM" {
		t.Errorf("%+v", c)
	}
}

func TestABillOfMaterialsNamesTheModules(t *testing.T) {
	t.Parallel()
	b := build(t, "../../../..", "./cmd/ashlar", both[0])
	text, err := image.SBOM(b.Program)
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		BOMFormat, SpecVersion string
		Metadata               struct{ Component struct{ Name, Type string } }
		Components             []struct{ Name, Version, PURL string }
	}
	if err := json.Unmarshal(text, &bom); err != nil {
		t.Fatal(err)
	}
	if bom.BOMFormat != "CycloneDX" || bom.SpecVersion != "1.6" || bom.Metadata.Component.Name != "github.com/ashlar-go/ashlar" {
		t.Errorf("%+v", bom)
	}
	purls := map[string]string{}
	for _, c := range bom.Components {
		purls[c.Name] = c.PURL
	}
	if purls["std"] != "pkg:golang/std@"+strings.TrimPrefix(runtime.Version(), "go") || !strings.HasPrefix(purls["github.com/alecthomas/kong"], "pkg:golang/github.com/alecthomas/kong@v") {
		t.Errorf("%v", purls)
	}
}

func TestARegistryHasTheImageAndItsBill(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	t.Cleanup(server.Close)
	dir := program(t)
	list := []image.Built{build(t, dir, ".", both[0]), build(t, dir, ".", both[1])}
	pinned, err := image.Push(t.Context(), list, strings.TrimPrefix(server.URL, "http://")+"/shop:1")
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewDigest(pinned)
	if err != nil || ref.DigestStr() != digestOf(t, list) {
		t.Fatalf("%s, %v", pinned, err)
	}
	all, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := all.IndexManifest()
	if err != nil || len(manifest.Manifests) != 2 || manifest.Manifests[1].Platform.Architecture != "arm64" {
		t.Fatalf("%+v, %v", manifest, err)
	}
	bills, err := remote.Referrers(ref.Digest(manifest.Manifests[0].Digest.String()))
	if err != nil {
		t.Fatal(err)
	}
	found, err := bills.IndexManifest()
	if err != nil || len(found.Manifests) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := image.Push(t.Context(), list, "NOT A NAME"); err == nil {
		t.Error("it was pushed somewhere")
	}
	server.Close()
	if _, err := image.Push(t.Context(), list, strings.TrimPrefix(server.URL, "http://")+"/shop:1"); err == nil {
		t.Error("it was pushed to a registry that is away")
	}
}

func TestWhatCannotBeBuilt(t *testing.T) {
	t.Parallel()
	dir := program(t)
	for pkg, want := range map[string]string{"./lib": "a package lib, and no program", "./none": "no package here", "./bad": "build ./bad for linux/amd64"} {
		if _, err := image.Compile(t.Context(), dir, pkg, both[0], t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", pkg, err, want)
		}
	}
	for _, text := range []string{"", "linux", "windows/amd64", "linux/386"} {
		if _, err := image.ParsePlatform(text); err == nil {
			t.Errorf("%q is built for", text)
		}
	}
}

// TestThePaymentsImage serves from the image's own files, as its user, with
// nothing else around.
func TestThePaymentsImage(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the image is of Linux")
	}
	b := build(t, "../../../..", "./examples/payments", image.Platform{OS: "linux", Arch: runtime.GOARCH})
	layers, err := b.Image.Layers()
	if err != nil || len(layers) != 2 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	var size int64
	for _, l := range layers {
		n, err := l.Size()
		if err != nil {
			t.Fatal(err)
		}
		size += n
	}
	t.Logf("the image has %.1f MB", float64(size)/1e6)
	if size > 25_000_000 {
		t.Errorf("the image has %d bytes", size)
	}
	root := filepath.Join(t.TempDir(), "root")
	unpack(t, b.Image, root)
	if os.Getuid() != 0 {
		t.Skip("only root may change the root of a process; the image was made, and not run")
	}
	for dir := root; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) { // somebody else runs in it
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c, err := b.Image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	app := exec.CommandContext(t.Context(), c.Config.Entrypoint[0])
	app.Dir = c.Config.WorkingDir
	app.Env = append(slices.Clone(c.Config.Env), "ASHLAR_ENV=development", "ASHLAR_ADDR=127.0.0.1:0", "ASHLAR_ADMIN_ADDR=127.0.0.1:0", "ASHLAR_LOG_FORMAT=json")
	app.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: image.Nobody, Gid: image.Nobody}}
	app.Stderr = os.Stderr
	app.Cancel = func() error { return app.Process.Signal(syscall.SIGTERM) }
	out, err := app.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(3*time.Minute, func() { _ = app.Process.Kill() })
	defer late.Stop()
	served := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if !served && strings.Contains(lines.Text(), `"msg":"serving"`) {
			served = true
			if err := app.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := app.Wait(); err != nil || !served {
		t.Errorf("served %v, %v", served, err)
	}
}

func unpack(t *testing.T, img v1.Image, to string) {
	t.Helper()
	all := mutate.Extract(img)
	defer all.Close()
	if err := os.Mkdir(to, 0o755); err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(all); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(to, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, h.FileInfo().Mode())
		} else {
			var text []byte
			if text, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, text, h.FileInfo().Mode())
			}
		}
		if err == nil && os.Getuid() == 0 {
			err = errors.Join(os.Chown(path, h.Uid, h.Gid), os.Chmod(path, h.FileInfo().Mode()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
