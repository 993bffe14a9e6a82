package outboundtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
)

// Names is a resolver that asks a name server on loopback, which answers every
// question with an address of the moment: questions are counted from 0. It
// shows what a name does that leads elsewhere the second time.
func Names(t testing.TB, answer func(question int) netip.Addr) *net.Resolver {
	t.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		asked := 0
		for buf := make([]byte, 512); ; {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			// The question: a head of 12 bytes, a name, a type and a class.
			end := 12 + bytes.IndexByte(buf[12:n], 0) + 5
			reply := append([]byte(nil), buf[:end]...)
			binary.BigEndian.PutUint16(reply[2:], 0x8180)
			binary.BigEndian.PutUint16(reply[6:], 0)  // answers
			binary.BigEndian.PutUint16(reply[10:], 0) // additional records
			if binary.BigEndian.Uint16(buf[end-4:]) == 1 {
				ip := answer(asked).As4()
				asked++
				binary.BigEndian.PutUint16(reply[6:], 1)
				reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				reply = append(reply, ip[:]...)
			}
			_, _ = conn.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}
