// Package common is what the peers share: the roles that a test starts them in, and the JSON that they speak with it.
//
// It is built against the nexus package of either peer, so it uses only what all of its versions have.
package common

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
)

// Peer is one implementation of the protocol.
type Peer struct {
	// Handler serves the operations of Services.
	Handler func() http.Handler
	// Receiver takes in completions.
	Receiver func() http.Handler
	// Call makes a call.
	Call func(url string, call Call) Answer
	// Send delivers a completion.
	Send func(completion Completion) Answer
}

// Main plays the role that the first argument names, until stdin ends.
func (p Peer) Main() {
	role, url := "", ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	if len(os.Args) > 2 {
		url = os.Args[2]
	}
	switch role {
	case "handler":
		serve(p.Handler())
	case "receiver":
		serve(p.Receiver())
	case "client":
		each(func(call Call) Answer { return p.Call(url, call) })
	case "sender":
		each(p.Send)
	default:
		fmt.Fprintln(os.Stderr, "usage: peer handler | receiver | client URL | sender")
		os.Exit(2)
	}
}

var stdout sync.Mutex

// Say writes a line for the test.
func Say(value any) {
	line, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	stdout.Lock()
	defer stdout.Unlock()
	fmt.Println(string(line))
}

// serve says its address, and ends with stdin: the test holds the other end.
func serve(handler http.Handler) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	Say(map[string]string{"address": listener.Addr().String()})
	go func() { panic(http.Serve(listener, handler)) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// each answers every line of stdin with a line.
func each[T any](answer func(T) Answer) {
	lines := json.NewDecoder(bufio.NewReader(os.Stdin))
	for {
		var line T
		if err := lines.Decode(&line); err == io.EOF {
			return
		} else if err != nil {
			panic(err)
		}
		Say(answer(line))
	}
}
