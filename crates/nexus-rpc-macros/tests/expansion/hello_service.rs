/// Greets people.
#[derive(NexusService)]
#[nexus(name = "my-hello-service")]
pub struct HelloService {
    /// Returns its input.
    pub echo: Operation<EchoInput, EchoOutput>,
    /// Greets in the language asked for.
    ///
    /// Takes its time.
    #[nexus(name = "say-hello")]
    #[deprecated(note = "say it yourself")]
    pub say_hello: nexus_rpc::Operation<HelloInput, HelloOutput>,
    #[nexus(optional)]
    r#type: Operation<(), Vec<String>>,
}
