package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-go/ashlar/internal/backing"
	"github.com/ashlar-go/ashlar/limit"
	"github.com/ashlar-go/ashlar/redis"
)

// authority writes a certificate for names, signed by itself, and returns its
// files and a pool that has it.
func authority(t *testing.T, names ...string) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "EC PRIVATE KEY", encoded), roots
}

// P12.11: the server's certificate is verified, name and all.
func TestRedisWithTLS(t *testing.T) {
	t.Parallel()
	cert, key, roots := authority(t, "localhost")
	_, _, strangers := authority(t, "localhost")
	at := backing.Port(t)
	backing.RedisServer(t, "--tls-port", at, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no")

	works(t, up(t, redis.Config{URL: "rediss://localhost:" + at, Roots: roots}))
	for name, c := range map[string]redis.Config{
		"a name that is not the certificate's":     {URL: "rediss://127.0.0.1:" + at, Roots: roots},
		"a certificate that nobody trusts":         {URL: "rediss://localhost:" + at},
		"a certificate that strangers have signed": {URL: "rediss://localhost:" + at, Roots: strangers},
	} {
		if err := open(t, c).Err(); err == nil || !strings.Contains(err.Error(), "TLS: ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := open(t, redis.Config{URL: "redis://localhost:" + at, DialTimeout: time.Second}).Err(); err == nil {
		t.Error("a server with TLS answers plain text")
	}
}

func TestRedisOverASocket(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // its name may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	server := backing.RedisServer(t, "--unixsocket", socket)
	works(t, up(t, redis.Config{URL: "unix://" + socket + "?db=3&prefix=shop:"}))
	if got := tell(t, server.Addr(), "SELECT 3\r\nKEYS shop:limit:works:*"); !strings.Contains(got, "shop:limit:works:") {
		t.Errorf("it counted elsewhere: %q", got)
	}
}

// A cluster is recognised though only one of its nodes is named, and its nodes
// share the keys. They cannot decide claims together, and need not.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	const nodes, slots = 3, 16384
	list := make([]*backing.RedisProcess, nodes)
	for i := range list {
		bus := backing.Port(t)
		list[i] = backing.RedisServer(t, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "2000")
		tell(t, list[i].Addr(), fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", i*slots/nodes, (i+1)*slots/nodes-1))
		host, at, _ := net.SplitHostPort(list[i].Addr())
		tell(t, list[0].Addr(), fmt.Sprintf("CLUSTER MEET %s %s %s", host, at, bus))
	}
	for _, node := range list {
		eventually(t, "the cluster is whole", func() bool {
			state := tell(t, node.Addr(), "CLUSTER INFO")
			return strings.Contains(state, "cluster_state:ok") && strings.Contains(state, "cluster_known_nodes:3")
		})
	}
	for name, url := range map[string]string{
		"one is named":  "redis://" + list[1].Addr(),
		"all are named": "redis://" + list[0].Addr() + "?addr=" + list[1].Addr() + "&addr=" + list[2].Addr(),
	} {
		client := up(t, redis.Config{URL: url, Prefix: name + ":"})
		works(t, client)
		limits, rate := client.Limits(), limit.Per(2, time.Hour)
		for i := range 50 {
			claims := []limit.Claim{{Key: limit.Key{Limit: "a", Who: fmt.Sprint(i)}, Rate: rate, N: 1}, {Key: limit.Key{Limit: "b", Who: fmt.Sprint(i)}, Rate: rate, N: 2}}
			if refused, err := limit.TakeAll(t.Context(), limits, claims); refused != -1 || err != nil {
				t.Fatalf("%s: claims %d: %d, %v", name, i, refused, err)
			}
			claims[0].Result, claims[1].Result = limit.Result{}, limit.Result{}
			if refused, err := limit.TakeAll(t.Context(), limits, claims); refused != 1 || err != nil {
				t.Fatalf("%s: claims %d again: %d, %v", name, i, refused, err)
			}
			if got, err := limits.Take(t.Context(), claims[0].Key, rate, 0); err != nil || got.Remaining != 1 {
				t.Fatalf("%s: claims %d: what was refused was taken: %+v, %v", name, i, got, err)
			}
		}
		if s := client.Stats(); s.Episodes != 0 {
			t.Errorf("%s: got %+v", name, s)
		}
	}
	for _, node := range list {
		if got := tell(t, node.Addr(), "DBSIZE"); strings.HasPrefix(got, ":0") {
			t.Errorf("the node %s has no key", node.Addr())
		}
	}
}

// Sentinels name the server that can be written, and another one when that is
// gone.
func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	first := backing.RedisServer(t)
	host, at, _ := net.SplitHostPort(first.Addr())
	second := backing.RedisServer(t, "--replicaof", host, at)
	eventually(t, "the copy follows", func() bool {
		return strings.Contains(tell(t, second.Addr(), "INFO replication"), "master_link_status:up")
	})

	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	sentinel := net.JoinHostPort("127.0.0.1", backing.Port(t))
	_, sentinelPort, _ := net.SplitHostPort(sentinel)
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\nsentinel monitor main %s %s 1\nsentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n", sentinelPort, host, at)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	process := exec.Command("redis-server", conf, "--sentinel")
	if err := process.Start(); err != nil {
		t.Skip("no sentinel: ", err)
	}
	t.Cleanup(func() { process.Process.Kill(); process.Wait() })
	eventually(t, "the sentinel knows both", func() bool {
		conn, err := net.Dial("tcp", sentinel)
		if err != nil {
			return false
		}
		conn.Close()
		return strings.Contains(tell(t, sentinel, "SENTINEL MASTERS"), "num-slaves\r\n$1\r\n1")
	})
	client := open(t, redis.Config{URL: "redis://" + sentinel + "?master_set=main", Timeout: time.Second, DialTimeout: 2 * time.Second})
	eventually(t, "it is there", func() bool { return client.Err() == nil })
	works(t, client)
	first.Kill()
	limits := client.Limits()
	eventually(t, "the copy has taken over", func() bool {
		got, err := limits.Take(t.Context(), limit.Key{Limit: "after"}, limit.Per(9, time.Hour), 1)
		return err == nil && got.OK
	})
	if got := tell(t, second.Addr(), "KEYS ashlar:limit:after:*"); !strings.Contains(got, "ashlar:limit:after:") {
		t.Errorf("it counted elsewhere: %q", got)
	}
}
