// Drives IPVS through moby/ipvs, while other goroutines keep the runtime's threads busy.
package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"

	"github.com/moby/ipvs"
)

func check(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func main() {
	for i := 0; i < 4; i++ {
		go func() {
			for {
				runtime.Gosched()
			}
		}()
	}
	handle, err := ipvs.New("")
	check(err)
	service := &ipvs.Service{
		Address: net.ParseIP("10.0.0.1"), Protocol: syscall.IPPROTO_TCP, Port: 80,
		AddressFamily: syscall.AF_INET, SchedName: "rr", Netmask: 0xffffffff,
	}
	check(handle.NewService(service))
	fmt.Println("again:", handle.NewService(service))
	for i := 0; i < 300; i++ {
		dest := &ipvs.Destination{
			Address: net.IPv4(10, 1, byte(i>>8), byte(i)), Port: 8080, Weight: i,
			AddressFamily: syscall.AF_INET, ConnectionFlags: ipvs.ConnectionFlagMasq,
		}
		check(handle.NewDestination(service, dest))
	}
	services, err := handle.GetServices()
	check(err)
	for _, found := range services {
		dests, err := handle.GetDestinations(found)
		check(err)
		sum := 0
		for _, dest := range dests {
			sum += dest.Weight
		}
		fmt.Println(found.Address, found.Port, found.SchedName, found.Flags&2, len(dests), sum)
	}
	config, err := handle.GetConfig()
	check(err)
	fmt.Println(config.TimeoutTCP, config.TimeoutTCPFin, config.TimeoutUDP)
	check(handle.DelService(service))
	fmt.Println("gone:", handle.DelService(service))
}
