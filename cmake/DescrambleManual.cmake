# The page of the manual and the completions for shells, written by the command from the text of its
# --help, in the folders below share/ where man and the shells look.
set(DESCRAMBLE_MANUAL_DIR "${PROJECT_BINARY_DIR}/manual")
set(manual_files "")
function(descramble_written file)
  set(path "${DESCRAMBLE_MANUAL_DIR}/${file}")
  get_filename_component(folder "${path}" DIRECTORY)
  file(MAKE_DIRECTORY "${folder}")
  add_custom_command(OUTPUT "${path}"
    COMMAND descramble_command ${ARGN} > "${path}"
    DEPENDS descramble_command
    VERBATIM)
  list(APPEND manual_files "${path}")
  set(manual_files "${manual_files}" PARENT_SCOPE)
endfunction()
descramble_written(man1/descramble.1 man)
descramble_written(bash-completion/completions/descramble completion bash)
descramble_written(zsh/site-functions/_descramble completion zsh)
descramble_written(fish/vendor_completions.d/descramble.fish completion fish)
add_custom_target(descramble_manual ALL DEPENDS ${manual_files})
