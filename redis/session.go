package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// session is the client of the library from the time that Redis answered to
// the time that it failed. A new one is made then, because connections on
// which answers are outstanding are of no use to anybody.
type session struct {
	client  rueidis.Client
	cluster bool
	names   [scripts]string // what the server calls each script

	places chan struct{}      // of commands that wait for their answers
	life   context.Context    // ends with the session
	die    context.CancelFunc // only called by end
	ending sync.Once
	reason error         // why it ended; read after that
	closed chan struct{} // closed when nothing of the library runs any more

	mu          sync.Mutex
	conns       map[net.Conn]struct{} // nil after the end
	second      time.Time             // when the counts began
	calls, late int
}

// connect makes a session, in which the server has shown that it takes writes.
func (c *Client) connect(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, c.settings.Dialer.Timeout)
	defer cancel()
	s, err := c.settings.open(ctx, c.settings.options(c.settings.cluster))
	if err != nil {
		return nil, err
	}
	if err = s.prove(ctx, c); err == nil {
		return s, nil
	}
	s.end(err)
	if !errors.Is(err, errCluster) {
		return nil, err
	}
	if s, err = c.settings.open(ctx, c.settings.options(true)); err != nil {
		return nil, err
	}
	if err := s.prove(ctx, c); err != nil {
		s.end(err)
		return nil, err
	}
	return s, nil
}

// options are those of the library for what the URL names.
func (s *settings) options(cluster bool) rueidis.ClientOption {
	options := s.ClientOption
	options.ForceSingleClient = !cluster && options.Sentinel.MasterSet == ""
	return options
}

// open connects. When ctx ends before it has, all that was dialed is closed,
// because the library's own time-outs add up.
func (s *settings) open(ctx context.Context, options rueidis.ClientOption) (*session, error) {
	made := &session{
		cluster: !options.ForceSingleClient && options.Sentinel.MasterSet == "",
		places:  make(chan struct{}, inFlight), closed: make(chan struct{}), conns: map[net.Conn]struct{}{},
	}
	made.life, made.die = context.WithCancel(context.WithoutCancel(ctx))
	options.DialCtxFn = func(ctx context.Context, address string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
		conn, err := s.dial(ctx, address)
		if err != nil {
			return nil, err
		}
		return made.keep(conn)
	}
	stop := context.AfterFunc(ctx, made.hangUp)
	var err error
	made.client, err = rueidis.NewClient(options)
	if !stop() && !isRefused(err) {
		err = fmt.Errorf("no answer within %v", s.Dialer.Timeout)
	}
	if err = s.clean(err); err != nil {
		made.end(err)
		return nil, err
	}
	return made, nil
}

// clean hides an error that shows the password: a server that does not know a
// command may repeat its arguments.
func (s *settings) clean(err error) error {
	if err != nil && s.Password != "" && strings.Contains(err.Error(), s.Password) {
		return errors.New("the server refuses the connection, in words that repeat the password")
	}
	return err
}

// prove finds out whether the server can be used: it takes writes, knows the
// scripts, and is no node of a cluster that was taken for the only one.
func (s *session) prove(ctx context.Context, c *Client) error {
	b := s.client.B()
	if !s.cluster {
		hello, err := s.client.Do(ctx, b.Arbitrary("HELLO").Build()).AsMap()
		mode := hello["mode"]
		if is, _ := mode.ToString(); err == nil && is == "cluster" {
			return errCluster
		}
	}
	err := s.client.Do(ctx, b.Set().Key(c.settings.prefix+"alive").Value("1").PxMilliseconds(1000).Build()).Error()
	for i, text := range c.settings.texts {
		if err == nil {
			s.names[i], err = s.client.Do(ctx, b.ScriptLoad().Script(text).Build()).ToString()
		}
	}
	return c.settings.clean(err)
}

var errCluster = errors.New("the server is a node of a cluster")

// watch asks now and then whether the server is there, and returns why the
// session is to end.
func (s *session) watch(ctx context.Context, patience time.Duration) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ErrClosed
		case <-s.life.Done():
			return s.reason
		case <-tick.C:
			within, cancel := context.WithTimeout(ctx, patience)
			err := s.client.Do(within, s.client.B().Ping().Build()).Error()
			cancel()
			if !isAnswer(err) && ctx.Err() == nil {
				return err
			}
		}
	}
}

// enter waits for one of the places for commands that wait for their answers.
// The library's own queue, once full, lets a caller wait whatever its context
// says.
func (s *session) enter(ctx context.Context) error {
	select {
	case s.places <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.life.Done():
		return s.reason
	}
}

func (s *session) leave() { <-s.places }

// tally counts a command, and reports whether so many were late within a
// second that the session should end.
func (s *session) tally(late bool) bool {
	const few, share = 3, 4 // at least three, and one in four
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.second) > time.Second {
		s.second, s.calls, s.late = now, 0, 0
	}
	s.calls++
	if late {
		s.late++
	}
	return s.late >= few && share*s.late >= s.calls
}

// end ends the session. Whoever waits for an answer gets an error at once.
func (s *session) end(reason error) {
	s.ending.Do(func() {
		s.reason = reason
		s.die()
		s.hangUp()
		go func() {
			defer close(s.closed)
			if s.client != nil {
				s.client.Close() // takes up to a second if the server is silent
			}
		}()
	})
}

// hangUp closes the connections, and those to come.
func (s *session) hangUp() {
	s.mu.Lock()
	conns := s.conns
	s.conns = nil
	s.mu.Unlock()
	for conn := range conns {
		_ = conn.Close() // it is given up
	}
}

// keep remembers a connection until it is closed.
func (s *session) keep(conn net.Conn) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	s.conns[conn] = struct{}{}
	return &kept{conn, s}, nil
}

type kept struct {
	net.Conn

	session *session
}

func (k *kept) Close() error {
	k.session.mu.Lock()
	delete(k.session.conns, k.Conn)
	k.session.mu.Unlock()
	return k.Conn.Close()
}
