use hello_contract::HelloService;

struct HelloHandler;

fn main() {
    let _ = HelloService::serve(HelloHandler);
}
