use hello_contract::HelloService;

fn main() {
    let operation = HelloService::say_helo;
    println!("{}", operation.name());
}
