// The peer of dump_target: as many goroutines, blocked as deep on a channel, net/http/pprof, and a ticker of 1 ms that
// knows its longest stall.
package main

import (
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

var longestStall int64

//go:noinline
func readMessage(ch chan int) { <-ch }

//go:noinline
func nextEvent(ch chan int) { readMessage(ch) }

//go:noinline
func follow(ch chan int) { nextEvent(ch) }

//go:noinline
func serveFollower(ch chan int) { follow(ch) }

func tick() {
	for {
		before := time.Now()
		time.Sleep(time.Millisecond)
		stall := int64(time.Since(before) - time.Millisecond)
		for {
			longest := atomic.LoadInt64(&longestStall)
			if stall <= longest || atomic.CompareAndSwapInt64(&longestStall, longest, stall) {
				break
			}
		}
	}
}

func main() {
	tasks, _ := strconv.Atoi(os.Args[1])
	http.HandleFunc("/stall", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, atomic.SwapInt64(&longestStall, 0)/1000)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[2])
	if err != nil {
		panic(err)
	}
	ch := make(chan int)
	for i := 0; i < 2; i++ {
		go tick()
	}
	for i := 0; i < tasks; i++ {
		go serveFollower(ch)
	}
	time.Sleep(100 * time.Millisecond)
	fmt.Printf("ready %d\n", listener.Addr().(*net.TCPAddr).Port)
	panic(http.Serve(listener, nil))
}
