package backing_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ashlar-go/ashlar/internal/backing"
)

// query answers a number from the server at url within a while.
func query(t *testing.T, url, sql string) (n int, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.Background())
	err = conn.QueryRow(ctx, sql).Scan(&n)
	return n, err
}

func run(t *testing.T, url, sql string) {
	t.Helper()
	if err := backing.Administer(context.Background(), url, sql); err != nil {
		t.Fatal(err)
	}
}

func TestEachPostgresIsEmpty(t *testing.T) {
	t.Parallel()
	one, two := backing.Postgres(t), backing.Postgres(t)
	if one == two {
		t.Errorf("two tests got the database %s", one)
	}
	for _, url := range []string{one, two} {
		run(t, url, `CREATE TABLE t (id BIGINT)`)
	}
	server := backing.SharedPostgres(t)
	template := backing.DatabaseName()
	if err := backing.CreateDatabase(t.Context(), server, template, "template1"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run(t, server, `DROP DATABASE `+template) })
	run(t, backing.Within(server, template), `CREATE TABLE copied AS SELECT 7 AS n`)
	if n, err := query(t, backing.PostgresFrom(t, template), `SELECT n FROM copied`); n != 7 || err != nil {
		t.Errorf("the copy of a database holds %d, %v", n, err)
	}
}

func TestPostgresGoesWithTheTest(t *testing.T) { //nolint:tparallel // the test within must have ended
	t.Parallel()
	var url string
	t.Run("a test", func(t *testing.T) { url = backing.Postgres(t) })
	if n, err := query(t, url, `SELECT 1`); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("the database is still there: %d, %v", n, err)
	}
}

func TestPostgresServerDiesAndComesBack(t *testing.T) {
	t.Parallel()
	s := backing.PostgresServer(t, "max_connections=20")
	if n, err := query(t, s.URL(), `SELECT current_setting('max_connections')::int`); n != 20 || err != nil {
		t.Errorf("of the options: %d, %v", n, err)
	}
	run(t, s.URL(), `CREATE TABLE t AS SELECT 1 AS n`)
	s.Stop()
	if _, err := query(t, s.URL(), `SELECT n FROM t`); err == nil {
		t.Error("a server that was stopped answers")
	}
	s.Start()
	if n, err := query(t, s.URL(), `SELECT n FROM t`); n != 1 || err != nil {
		t.Errorf("a server that runs on: %d, %v", n, err)
	}
	for name, end := range map[string]func(){"killed": s.Kill, "shut down": s.Shut} {
		end()
		if _, err := query(t, s.URL(), `SELECT n FROM t`); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("a server that was %s: %v", name, err)
		}
		s.Start()
		if n, err := query(t, s.URL(), `SELECT n FROM t`); n != 1 || err != nil {
			t.Errorf("a server that was %s and started again: %d, %v", name, n, err)
		}
	}
}

// TestAServerEndsWithItsProcess runs this test in another process, without a
// server in its environment, and kills it.
func TestAServerEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	const child = "ASHLAR_TEST_OF_BACKING"
	if os.Getenv(child) == "1" {
		os.Stdout.WriteString("\nurl " + backing.SharedPostgres(t) + "\n")
		select {} // until it is killed
	}
	own := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAServerEndsWithItsProcess$")
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ASHLAR_TEST_POSTGRES_URL=") {
			own.Env = append(own.Env, v)
		}
	}
	own.Env = append(own.Env, child+"=1")
	out, err := own.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Start(); err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	piece := make([]byte, 1024)
	for !strings.Contains(seen.String(), "disable\n") {
		n, err := out.Read(piece)
		if err != nil {
			if own.Wait() == nil {
				t.Skip("it was skipped there: ", seen.String())
			}
			t.Fatalf("the process ended: %s", seen.String())
		}
		seen.Write(piece[:n])
	}
	_, url, _ := strings.Cut(seen.String(), "url ")
	url = strings.TrimSpace(url)
	if n, err := query(t, url, `SELECT 1`); n != 1 || err != nil {
		t.Errorf("the server of the process: %d, %v", n, err)
	}
	if err := own.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = own.Wait()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := query(t, url, `SELECT 1`); err != nil && strings.Contains(err.Error(), "refused") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s outlived the process that had started it", url)
		}
	}
}
