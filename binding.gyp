{
  # A shim: `node-gyp rebuild` runs the CMake build, which does nothing when build/Release is current.
  "targets": [
    {
      "target_name": "exo_native",
      "type": "none",
      "actions": [
        {
          "action_name": "build_with_cmake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["<(module_root_dir)/build/Release/exo_native.node"],
          "action": ["node", "dist/native/build.js"],
          "message": "Building exo_native with CMake"
        }
      ]
    }
  ]
}
