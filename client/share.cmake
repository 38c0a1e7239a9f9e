# Run as a script: writes what `deis` says about itself into files.
#   cmake -DDEIS=<program> -DFILE=<output> -DWORDS=<word;word> -P share.cmake
get_filename_component(folder ${FILE} DIRECTORY)
file(MAKE_DIRECTORY ${folder})
execute_process(COMMAND ${DEIS} ${WORDS} OUTPUT_FILE ${FILE} COMMAND_ERROR_IS_FATAL ANY)
