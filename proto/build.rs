//! Compiles the protos without protoc: descriptors by protox, code by tonic-prost-build into `OUT_DIR`.

use std::path::{Path, PathBuf};

use prost::Message as _;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    // tonic-prost-build prints no rerun lines for descriptors that it did not compile itself.
    println!("cargo:rerun-if-changed=linli");
    println!("cargo:rerun-if-changed=third_party");

    let mut files = vec![
        PathBuf::from("third_party/google/longrunning/operations.proto"),
        PathBuf::from("third_party/google/rpc/error_details.proto"),
    ];
    collect(Path::new("linli"), &mut files)?;
    files.sort();

    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR for build scripts")?);
    // What the binary carries for reflection needs no comments; the generated code does.
    std::fs::write(out.join("linli.bin"), compile(&files, false)?)?;
    let documented = prost_types::FileDescriptorSet::decode(compile(&files, true)?.as_slice())?;
    tonic_prost_build::configure().btree_map(".").compile_fds(documented)?;
    Ok(())
}

fn compile(files: &[PathBuf], source_info: bool) -> Result<Vec<u8>> {
    let mut compiler = protox::Compiler::new(["third_party", "."])?;
    compiler.include_imports(true).include_source_info(source_info).open_files(files)?;
    // The other form (`file_descriptor_set`) drops custom options.
    Ok(compiler.encode_file_descriptor_set())
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
