# What `cmake --install` lays down: filled in by tidemark_install().
function(tidemark_install)
endfunction()
