package config_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/ashlar-go/ashlar/config"
)

type Config struct {
	Addr    string        `env:"ADDR" default:"127.0.0.1:8080" doc:"where to listen"`
	Timeout time.Duration `env:"TIMEOUT" default:"30s" doc:"how long a request may take"`
	BankKey config.Secret `env:"BANK_KEY,required" doc:"signs requests to the bank"`
}

func ExampleLoad() {
	cfg, err := config.Load[Config](config.Map(map[string]string{
		"BANK_KEY": "open sesame",
		"TIMEOUT":  "5s",
	}))
	fmt.Printf("%+v %v\n", cfg, err)
	// Output: {Addr:127.0.0.1:8080 Timeout:5s BankKey:***} <nil>
}

func ExampleLoad_mistakes() {
	_, err := config.Load[Config](config.Map(map[string]string{"TIMEOUT": "5 mins"}))
	fmt.Println(err)
	// Output:
	// 2 mistakes in the configuration:
	//   TIMEOUT is "5 mins"; expected a duration such as 250ms, 30s or 1h30m
	//   BANK_KEY is required and not set; expected a secret, or a file with it in BANK_KEY_FILE
}

func ExampleDescribe() {
	for _, v := range config.Describe[Config]() {
		fmt.Printf("%-8s  %-8s  %-14s  %s\n", v.Name, v.Type, v.Default, v.Doc)
	}
	// Output:
	// ADDR      text      127.0.0.1:8080  where to listen
	// TIMEOUT   duration  30s             how long a request may take
	// BANK_KEY  secret                    signs requests to the bank
}

// In development, a .env file lies under the environment.
func ExampleParseDotEnv() {
	file, err := config.ParseDotEnv(strings.NewReader("# local\nBANK_KEY='not a real key'\nADDR=:9000\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	environment := config.Map(map[string]string{"ADDR": ":0"})
	cfg, err := config.Load[Config](config.First(environment, config.Map(file)))
	fmt.Println(cfg.Addr, cfg.BankKey.Reveal(), err)
	// Output: :0 not a real key <nil>
}
