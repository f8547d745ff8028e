// Drives IPVS through mdlayher/genetlink: non-blocking sockets, epoll, many goroutines; and its settings as files.
package main

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
)

func check(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func service(i int) []byte {
	encoder := netlink.NewAttributeEncoder()
	encoder.Nested(1, func(nested *netlink.AttributeEncoder) error {
		nested.Uint16(1, 2)
		nested.Uint16(2, 17)
		nested.Bytes(3, append([]byte{10, 2, byte(i >> 8), byte(i)}, make([]byte, 12)...))
		nested.Bytes(4, []byte{0, 53})
		nested.String(6, "sh")
		nested.Bytes(7, []byte{0, 0, 0, 0, 255, 255, 255, 255})
		nested.Uint32(8, 0)
		nested.Uint32(9, 0xffffffff)
		return nil
	})
	bytes, err := encoder.Encode()
	check(err)
	return bytes
}

func main() {
	conn, err := genetlink.Dial(nil)
	check(err)
	family, err := conn.GetFamily("IPVS")
	check(err)
	_, err = conn.GetFamily("no-such-family")
	fmt.Println(family.Name, family.Version, "other:", err)
	ask := func(conn *genetlink.Conn, command uint8, flags netlink.HeaderFlags, data []byte) ([]genetlink.Message, error) {
		return conn.Execute(genetlink.Message{Header: genetlink.Header{Command: command, Version: 1}, Data: data}, family.ID, netlink.Request|flags)
	}
	var group sync.WaitGroup
	for worker := 0; worker < 8; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			own, err := genetlink.Dial(nil)
			check(err)
			defer own.Close()
			for i := 0; i < 25; i++ {
				_, err := ask(own, 1, netlink.Acknowledge, service(worker*25+i))
				check(err)
			}
		}(worker)
	}
	group.Wait()
	_, err = ask(conn, 1, netlink.Acknowledge, service(0))
	fmt.Println("again:", err)
	services, err := ask(conn, 4, netlink.Dump, nil)
	check(err)
	fmt.Println("services:", len(services))
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < 25; i++ {
				_, err := ask(conn, 15, 0, nil)
				check(err)
			}
		}()
	}
	group.Wait()
	const file = "/proc/sys/net/ipv4/vs/conntrack"
	check(os.WriteFile(file, []byte("1"), 0o640))
	value, err := os.ReadFile(file)
	check(err)
	err = os.WriteFile(file, []byte("x"), 0o640)
	fmt.Println("conntrack:", strings.TrimSpace(string(value)), "refused:", err)
}
