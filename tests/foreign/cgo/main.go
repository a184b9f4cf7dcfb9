// main.go: requests by many goroutines, each in both ways, and what must come back.
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"
)

const (
	goroutines = 32
	requests   = 50
)

// run sends requests and returns how many were not answered as they must be.
func run(send func(chatbot, body []byte) answer, number int) (wrong int) {
	for i := 0; i < requests; i++ {
		body := []byte(fmt.Sprintf(`{"users":[{"external_id":"%d-%d","name":"Ann"}]}`, number, i))
		got := send([]byte("123"), body)
		if got.status != 200 || got.code != 0 || !bytes.Equal(got.outcomes, []byte{0}) {
			log.Printf("%d %d %s", got.status, got.code, got.body)
			wrong++
		}
	}
	return wrong
}

func main() {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("foreign-%d.db", os.Getpid()))
	defer os.Remove(path)
	endpoint, err := open(path, 2)
	if err != nil {
		log.Fatal(err)
	}
	var wait sync.WaitGroup
	wrong := make([]int, 2*goroutines)
	for i := range wrong {
		send := endpoint.upsert
		if i%2 == 1 {
			send = endpoint.submit
		}
		wait.Add(1)
		go func(number int) {
			defer wait.Done()
			wrong[number] = run(send, number)
		}(i)
	}
	wait.Wait()
	endpoint.close()
	for _, count := range wrong {
		if count > 0 {
			log.Fatal("not all requests were answered as they must be")
		}
	}
	fmt.Println(len(wrong)*requests, "requests from Go")
}
