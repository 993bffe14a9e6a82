package webhook_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/outbound/outboundtest"
	"github.com/ashlar-go/ashlar/webhook"
)

// TestReferenceLibrary has what was sent over a wire verified by the reference
// library of Standard Webhooks, run by Node.js, and what it signs verified
// here; and both agree on what is refused.
func TestReferenceLibrary(t *testing.T) {
	t.Parallel()
	node, folder := reference(t)
	b := setup(t, databases["sqlite"](t), wired)
	shop := outboundtest.New(t, outboundtest.Status(204))
	e := b.at(shop.URL)
	first, err := b.Rotate(b.ctx, "shop-1", e.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.Rotate(b.ctx, "shop-1", e.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	other := webhook.NewSecret()

	type sent struct {
		Secret  string            `json:"secret"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
		name    string
		fails   bool
	}
	var list []sent
	for i, payload := range []string{`{"a":1}`, ``, "{\"é\": \"\U0001F600\",\r\n\"b\":\"\\u0000\"}", `"` + string(bytes.Repeat([]byte("x"), 100_000)) + `"`} {
		m := message(fmt.Sprint("evt_", i), "k")
		m.Payload = []byte(payload)
		b.enqueue(m)
		b.step(e.ID)
		calls := shop.Calls()
		got := calls[len(calls)-1]
		headers := map[string]string{}
		for _, name := range []string{webhook.HeaderID, webhook.HeaderTimestamp, webhook.HeaderSignature} {
			headers[name] = got.Header.Get(name)
		}
		for name, secret := range map[string]webhook.Secret{"the old secret": first, "the new secret": second, "another secret": other} {
			list = append(list, sent{secret.Reveal(), headers, got.Body, fmt.Sprintf("payload %d with %s", i, name), secret == other})
		}
	}
	old := map[string]string{}
	at := time.Now().Add(-10 * time.Minute)
	old[webhook.HeaderID], old[webhook.HeaderTimestamp] = "evt_old", strconv.FormatInt(at.Unix(), 10)
	old[webhook.HeaderSignature] = first.Sign("evt_old", at, []byte(`{"a":1}`))
	list = append(list, sent{first.Reveal(), old, `{"a":1}`, "one of ten minutes ago", true})

	var input, output bytes.Buffer
	for _, one := range list {
		if err := json.NewEncoder(&input).Encode(one); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), node, filepath.Join(folder, "verify.mjs"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &input, &output, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	answers := json.NewDecoder(&output)
	for _, one := range list {
		var theirs struct{ Error, Signature string }
		if err := answers.Decode(&theirs); err != nil {
			t.Fatal(err)
		}
		refused := theirs.Error != ""
		if one.Body == "" { // which is verified, and then is no JSON
			refused = theirs.Error == "No matching signature found"
		}
		if refused != one.fails {
			t.Errorf("%s: the library says %q", one.name, theirs.Error)
		}
		secret, err := webhook.ParseSecret(one.Secret)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		for name, value := range one.Headers {
			h.Set(name, value)
		}
		if err := webhook.Verify(h, []byte(one.Body), secret); (err != nil) != one.fails {
			t.Errorf("%s: here it is %v", one.name, err)
		}
		h.Set(webhook.HeaderSignature, theirs.Signature)
		if err := webhook.Verify(h, []byte(one.Body), secret); (err != nil) != (one.name == "one of ten minutes ago") {
			t.Errorf("%s, signed by the library: %v", one.name, err)
		}
	}
}

// reference returns Node.js and a folder with the library, which npm installs
// once into the user's cache directory, from the lock file, with every checksum
// held. Where it cannot, the test is skipped, unless ASHLAR_TEST_STRICT says
// that nothing may be.
func reference(t *testing.T) (node, folder string) {
	t.Helper()
	node, folder, err := installed(t.Context())
	if err != nil {
		if os.Getenv("ASHLAR_TEST_STRICT") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return node, folder
}

func installed(ctx context.Context) (node, folder string, err error) {
	if node, err = exec.LookPath("node"); err != nil {
		return "", "", fmt.Errorf("Node.js is missing, which runs the reference library: %w", err)
	}
	const from = "testdata/receiver"
	files := map[string][]byte{}
	fingerprint := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json", "verify.mjs"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return "", "", err
		}
		files[name] = text
		fingerprint.Write(text)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	folder = filepath.Join(cache, "ashlar-test", "standardwebhooks-"+hex.EncodeToString(fingerprint.Sum(nil)[:8]))
	if _, err := os.Stat(folder); err == nil {
		return node, folder, nil
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", "", fmt.Errorf("npm is missing, which installs the reference library: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o700); err != nil {
		return "", "", err
	}
	work, err := os.MkdirTemp(filepath.Dir(folder), "installing-")
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(work)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(work, name), text, 0o600); err != nil {
			return "", "", err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("the reference library cannot be installed: %w\n%s", err, out)
	}
	if err := os.Rename(work, folder); err != nil {
		if _, missing := os.Stat(folder); missing != nil { // nobody was quicker
			return "", "", err
		}
	}
	return node, folder, nil
}
